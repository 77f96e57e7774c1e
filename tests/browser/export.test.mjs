// What the lab gives away and takes back: result pages, and links with a trace in them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { accessible } from './lib/axe.mjs';
import { drop, launch, shot, show, started } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { map, models as chosen, question, settings, tracing } from './lib/lab.mjs';
import { nativeStudy } from './lib/native.mjs';
import { DIST, program } from './lib/paths.mjs';
import { folder, SAMPLE, saved } from './lib/result.mjs';
import { serve } from './lib/server.mjs';

const CLIPBOARD = { context: { permissions: ['clipboard-read', 'clipboard-write'] } };

const records = page => page.getByRole('navigation', { name: 'Open records' });

/** What is shown of a trace: the question, the sentences, and every cell and number of its figures. */
async function result(page) {
  const panel = tracing(page);
  await map(page).waitFor();
  const texts = await panel.locator('.finding h2, .finding .more, .answers').allInnerTexts();
  const drawings = await panel.locator('.map-head svg, .trace-figure svg').evaluateAll(all => all.map(one => one.outerHTML));
  const cells = await map(page).getByRole('gridcell').evaluateAll(all => all.map(one => [one.id, one.getAttribute('style'), one.ariaLabel]));
  const inspector = await panel.getByRole('complementary', { name: 'Selected cell' }).locator('.head, .three, dl').allInnerTexts();
  return { texts, drawings, cells, inspector, asked: await question(page) };
}

/** Shows a stored result. */
async function example(page, at) {
  await tracing(page).getByRole('button', { name: 'Examples' }).click();
  await tracing(page).getByRole('list', { name: 'Stored results' }).getByRole('button').nth(at).click();
}

/** Waits until what is shown came with the link. */
async function linked(page) {
  await tracing(page).getByText(/^From a link: /).waitFor();
  await tracing(page).getByText(/^These numbers came with the link, and nobody has checked them/).waitFor();
}

/** The link with the shown trace, from the clipboard. */
async function linkOf(page) {
  await tracing(page).getByRole('button', { name: 'Copy link with result' }).click();
  await tracing(page).getByText(/The link with the result is on the clipboard/).waitFor();
  return page.evaluate(() => navigator.clipboard.readText());
}

test('the lab makes the page that the native program makes, and takes it back', 120, async use => {
  const models = ['engram-llama', 'engram-phi'];
  const studies = models.map(model => nativeStudy(model));
  const site = use(await serve(DIST));
  const browser = use(await launch());
  const page = await browser.open(`${site.url}?tab=study`);
  await started(page);
  await drop(page, studies.map((text, at) => [`${models[at]}.engram.json`, text]));
  await records(page).getByRole('button', { name: 'engram-phi', exact: true }).waitFor();
  const [name, bytes] = await saved(page, page.getByRole('button', { name: 'Download page' }));
  assert.equal(name, 'engram-llama-and-engram-phi.html');
  await page.getByText(`saved as ${name}`).waitFor();
  await accessible(page, 'a page was exported');

  const { path } = use(folder());
  const files = studies.map((text, at) => {
    const file = join(path, `${models[at]}.engram.json`);
    writeFileSync(file, text);
    return file;
  });
  const out = join(path, 'native.html');
  execFileSync(program(), ['report', ...files, '-o', out, '--site', DIST, '--quiet'], { stdio: ['ignore', 'ignore', 'inherit'] });
  assert.ok(bytes.equals(readFileSync(out)), 'the two pages differ');

  // From the disk, with nothing beside it.
  const article = await browser.open(pathToFileURL(out).href);
  await article.getByRole('heading', { level: 1 }).waitFor();
  await article.locator('#article.live').waitFor({ timeout: 20_000 });

  const again = await browser.open(`${site.url}?tab=study`);
  await started(again);
  await drop(again, [[name, bytes]]);
  for (const model of models) await records(again).getByRole('button', { name: model, exact: true }).waitFor();
  const [second, same] = await saved(again, again.getByRole('button', { name: 'Download page' }));
  assert.deepEqual([second, same.equals(bytes)], [name, true]);
});

test('a page on the same server opens, and one without records is an error', 60, async use => {
  const { path } = use(folder());
  const page = join(path, 'page.html');
  execFileSync(program(), ['report', SAMPLE, '-o', page, '--site', DIST, '--quiet'], { stdio: 'ignore' });
  const pages = { 'page.html': readFileSync(page), 'empty.html': '<!doctype html><p onclick="1">prompt, subject' };
  const site = use(await serve(DIST, { pages }));
  const browser = use(await launch());
  const lab = await browser.open(`${site.url}?tab=study&record=page.html&record=empty.html`);
  await started(lab);
  await lab.getByRole('alert').filter({ hasText: 'empty.html: a web page without records' }).waitFor();
  await lab.getByRole('heading', { name: 'About this record' }).waitFor();
  assert.equal(await records(lab).getByRole('button', { name: /^Close/ }).count(), 1);
});

test('without a printer the lab says so', 60, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch());
  browser.allow(/Failed to load resource/);
  const page = await browser.open(site.url);
  await started(page);
  const button = tracing(page).getByRole('button', { name: 'Download page' });
  await page.route(/engram-printer/, route => route.fulfill({ status: 404 }));
  await button.click();
  await page.getByRole('alert').filter({ hasText: 'the page was not made' }).waitFor();
  await page.getByText(/check the connection/).waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await page.evaluate(() => delete globalThis.engramPrint);
  await button.click();
  await page.getByRole('alert').filter({ hasText: 'this build of the lab has no printer' }).waitFor();
  await accessible(page, 'no printer');
});

test('a link brings a trace with its numbers, and runs nothing', 90, async use => {
  const site = use(await serve(DIST, { at: '/lab/' }));
  const browser = use(await launch(CLIPBOARD));
  const page = await browser.open(site.url);
  await started(page);
  await example(page, 1);
  await settings(page, drawer => drawer.getByLabel('Restore at').selectOption('last-token'));
  const wanted = await result(page);
  const link = await linkOf(page);
  assert.ok(link.startsWith(`${site.url}?`) && link.length < 32_000, link.slice(0, 200));
  const [, record] = await saved(page, tracing(page).getByRole('button', { name: 'Save record' }));

  const other = use(await launch(CLIPBOARD));
  const begun = site.log.length;
  const again = await other.open(link);
  await started(again);
  await linked(again);
  await settings(again, async drawer => assert.equal(await drawer.getByLabel('Restore at').inputValue(), 'last-token'));
  await shot(again, 'trace-linked');
  await accessible(again, 'a trace from a link');
  assert.deepEqual(await result(again), wanted);
  assert.equal(await chosen(again).inputValue(), JSON.parse(record).model.name);
  const [, same] = await saved(again, tracing(again).getByRole('button', { name: 'Save record' }));
  assert.ok(same.equals(record), 'the record is the same to the last bit');
  const asked = site.log.slice(begun).map(entry => entry.path);
  assert.ok(!asked.some(path => /worker|bundled/.test(path)), asked.join());
  assert.equal(await linkOf(again), link);

  // It stays in the address while it is shown, through a reload too, and no longer.
  await show(again, 'Models');
  await until('the tab in the address', () => again.url().includes('tab=models'));
  assert.equal(new URL(again.url()).hash, new URL(link).hash);
  await again.reload();
  await started(again);
  await linked(again);
  await example(again, 0);
  await until('an address without the result', () => new URL(again.url()).hash === '');
  // Pasted over the address of a lab that is open.
  await again.evaluate(hash => { location.hash = hash; }, new URL(link).hash);
  await linked(again);
  assert.deepEqual((await result(again)).texts, wanted.texts);
});

test('where the clipboard is unavailable, the link is shown', 60, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch());
  const page = await browser.open(site.url, page => page.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined });
  }));
  await started(page);
  await tracing(page).getByRole('button', { name: 'Copy link with result' }).click();
  const link = await tracing(page).getByLabel('Link with result').inputValue();
  const again = await browser.open(link);
  await started(again);
  await linked(again);
});

test('a trace that is too large for a link says so', 60, async use => {
  const study = JSON.parse(gunzipSync(readFileSync(SAMPLE)).toString());
  // Numbers that gzip finds nothing in, at thirty times as many positions.
  const long = map => Array.from({ length: 30 }, () => map).flat().map(row => row.map(() => Math.fround(Math.random())));
  for (const { maps } of study.facts.filter(fact => fact.maps)) {
    for (const map of ['residual', 'mlp', 'attention']) maps[map] = long(maps[map]);
  }
  const sample = gzipSync(JSON.stringify(study));
  const site = use(await serve(DIST, { pages: { 'sample.engram.json.gz': sample } }));
  const browser = use(await launch(CLIPBOARD));
  const page = await browser.open(site.url);
  await started(page);
  await tracing(page).getByRole('button', { name: 'Copy link with result' }).click();
  const said = tracing(page).getByText(/the link would have [\d,]+ characters, and 32,000 is the most; save the record/);
  await said.waitFor();
  await shot(page, 'trace-link-too-large');
});

test('a damaged link is an error, and the lab opens as usual', 60, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch(CLIPBOARD));
  const page = await browser.open(site.url);
  await started(page);
  const whole = new URL(await linkOf(page)).hash.slice('#trace='.length);
  for (const text of ['', '%3Cscript%3E', 'AAAA', whole.slice(0, whole.length / 2), 'A'.repeat(40_000)]) {
    const other = await browser.open(`${site.url}#trace=${text}`);
    await started(other);
    await other.getByRole('alert').filter({ hasText: 'error: the link\'s result: ' }).waitFor();
    await tracing(other).getByText(/^Stored result: /).waitFor();
    await until('an address without it', () => new URL(other.url()).hash === '');
    await other.close();
  }
});
