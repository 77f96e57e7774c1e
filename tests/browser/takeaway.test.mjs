// What is saved and copied of a result page: pictures, tables and records are those that the program writes.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { engram, folder, opened, saved, twoStudies } from './lib/result.mjs';

const dir = folder();
const { out: PAGE, files } = twoStudies(dir.path);
const EXPORT = join(dir.path, 'export');
engram('export', ...files, '-o', EXPORT, '--only', 'tables,records,figures');
process.on('exit', () => void dir.close());

const FIGURES = ['1', '2', '3', 'a', 'b', '4', 'c', '5', '6', 'd'];
const menu = (page, id) => page.locator(`#${id} > .menu`);

/** What an SVG text draws, as a browser reads it; fails where it is no XML. */
const drawn = (page, svg) => page.evaluate(svg => {
  const read = new DOMParser().parseFromString(svg, 'image/svg+xml');
  if (read.querySelector('parsererror')) throw new Error(read.documentElement.textContent);
  const marks = {};
  for (const one of read.querySelectorAll('rect, circle, path, polygon, polyline, line')) {
    // Neither what answers to the mouse nor where a cursor was.
    if (one.matches('.hover, .ring, .cursor')) continue;
    marks[one.localName] = (marks[one.localName] ?? 0) + 1;
  }
  const root = read.documentElement;
  return { marks, words: root.textContent.length, width: Number(root.getAttribute('width')), height: Number(root.getAttribute('height')) };
}, svg);

test('pictures of figures stand alone, and draw what the program draws', 120, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE);
  for (const id of FIGURES.map(id => `figure-${id}`)) {
    const [name, bytes] = await saved(page, menu(page, id).getByRole('button', { name: 'SVG' }));
    assert.equal(name, `${id}.svg`);
    const svg = bytes.toString();
    for (const word of ['var(', '<script', 'href', 'currentcolor;']) assert.ok(!svg.includes(word), `${id} has ${word}`);
    const [own, native] = [await drawn(page, svg), await drawn(page, readFileSync(join(EXPORT, 'figures', name), 'utf8'))];
    assert.ok(Object.values(own.marks).reduce((a, b) => a + b, 0) > 10, `${id}: ${JSON.stringify(own)}`);
    assert.deepEqual(own.marks, native.marks, id);
    assert.deepEqual([own.width, own.height], [native.width, native.height], id);

    const [picture, png] = await saved(page, menu(page, id).getByRole('button', { name: 'PNG' }));
    assert.equal(picture, `${id}.png`);
    assert.equal(png.subarray(0, 8).toString('latin1'), '\x89PNG\r\n\x1a\n');
    const size = [png.readUInt32BE(16), png.readUInt32BE(20)];
    for (const [found, wanted] of [[size[0], own.width], [size[1], own.height]]) {
      assert.ok(Math.abs(found - 2 * wanted) <= 2, `${id}: ${size} of ${own.width} by ${own.height}`);
    }
    assert.ok(png.length > 3000, `${id}: ${png.length} bytes`);
  }
});

test('tables and records are byte for byte those of engram export', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE);
  const all = readdirSync(join(EXPORT, 'tables')).filter(name => name.endsWith('.csv'));
  assert.ok(all.length >= 4 && all.length === (await page.locator('#tables table').count()), all.join());
  for (const number of all.map((_, at) => at + 1)) {
    for (const [label, end] of [['CSV', 'csv'], ['Markdown', 'md'], ['LaTeX', 'tex']]) {
      const [name, bytes] = await saved(page, menu(page, `table-${number}`).getByRole('button', { name: label }));
      assert.equal(name, `table-${number}.${end}`);
      assert.equal(bytes.toString(), readFileSync(join(EXPORT, 'tables', name), 'utf8'), name);
      // The browser drops the eleventh file within a second; nobody clicks that fast.
      await page.waitForTimeout(120);
    }
  }
  for (const [at, model] of ['engram-llama', 'engram-phi'].entries()) {
    await page.getByLabel('Study whose facts are shown').selectOption(String(at));
    const [name, bytes] = await saved(page, page.getByRole('button', { name: 'Record (JSON)' }));
    assert.equal(name, `${model}.engram.json`);
    assert.ok(bytes.equals(readFileSync(join(EXPORT, 'records', name))), name);
  }
  await page.getByRole('status').filter({ hasText: 'engram-phi.engram.json is saved.' }).waitFor();
});

test('copied links lead to their figures with what is chosen', 60, async use => {
  const browser = use(await launch({ webgpu: false, context: { permissions: ['clipboard-read', 'clipboard-write'] } }));
  const page = await opened(browser, PAGE, '#reading=last-token');
  for (const id of ['figure-6', 'table-3']) {
    await menu(page, id).getByRole('button', { name: 'Copy link' }).click();
    await page.getByRole('status').filter({ hasText: /^Copied/ }).waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(new URL(link).hash, `#reading=last-token&see=${id}`);
    const other = await opened(browser, PAGE, new URL(link).hash);
    const top = () => other.evaluate(id => document.getElementById(id).getBoundingClientRect().top, id);
    await until(`${id} is in sight`, async () => (await top()) > -5 && (await top()) < 700, 5);
    assert.equal(await other.getByRole('button', { name: 'last-token' }).getAttribute('aria-pressed'), 'true');
    await other.close();
  }
  // Where the clipboard is unavailable, the link is on the page.
  const bare = await opened(browser, PAGE, '', page => page.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined });
  }));
  await bare.getByRole('button', { name: 'Copy link to this view' }).click();
  await bare.getByRole('status').filter({ hasText: `Clipboard unavailable: ${bare.url()}` }).waitFor();
});
