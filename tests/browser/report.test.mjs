// A result page as it is opened: from disk, without a network, with and without scripting, in both themes, in print.

import assert from 'node:assert/strict';
import { loadavg } from 'node:os';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { accessible } from './lib/axe.mjs';
import { launch, SIZES, shot } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { OUT } from './lib/paths.mjs';
import { folder, live, opened, timed, twoStudies, unfold } from './lib/result.mjs';

const dir = folder();
const { out: PAGE } = twoStudies(dir.path);
process.on('exit', () => void dir.close());

/** A page has to be ready this soon, in ms, on a machine that has nothing else to do. */
const SOON = 1500;
/** Browsers that are started to measure it; the best counts. */
const TRIES = 3;

/** What cannot work without scripting. */
const CONTROLS = 'button, input, select, textarea, a[download]';

/** Headings and findings, in order. What depends on scripting (facts and maps one by one) has more of them when live. */
function said(page) {
  return page.evaluate(() => {
    const plain = text => text.replace(/\s+/g, ' ').trim();
    const all = [...document.querySelectorAll('#article :is(h1, h2, h3, .dek, .lead, .abstract li, .finding, .words, td, th, math, pre)')];
    return all.filter(one => !one.closest('#facts, #maps article, .numbers, .more')).map(one => plain(one.textContent));
  });
}

test('a page from disk asks nobody for anything, and is soon alive', 120, async use => {
  let best = Infinity;
  for (let at = 0; at < TRIES && best > SOON; at++) {
    const browser = use(await launch({ webgpu: false, context: { offline: true } }));
    const asked = [];
    browser.context.on('request', request => asked.push(request.url()));
    const page = await opened(browser, PAGE, '', timed);
    best = Math.min(best, await until('the time', () => page.evaluate(() => window.liveAt)));
    assert.equal(await page.locator('#crash').isVisible(), false);
    assert.deepEqual(asked, [pathToFileURL(PAGE).href]);
    if (at === 0) {
      await shot(page, 'report-live');
      // Everything that can be opened asks for nothing either.
      await unfold(page, 'details');
      assert.equal(asked.length, 1, asked.join());
    }
  }
  const [load] = loadavg();
  console.log(`alive after ${Math.round(best)} ms, load ${load.toFixed(1)}`);
  if (load < 1.5) assert.ok(best <= SOON, `alive after ${best} ms only`);
});

test('without scripting everything can be read, and nothing is offered that cannot work', 60, async use => {
  const browser = use(await launch({ webgpu: false, context: { javaScriptEnabled: false } }));
  const page = await browser.open(pathToFileURL(PAGE).href);
  await shot(page, 'report-static');
  const main = page.locator('#article');
  for (const name of ['Findings', 'Where the facts are', 'Tables', 'Limits', 'Method', 'Check it', 'Causal trace']) {
    assert.ok(await main.getByRole('heading', { name, exact: true }).isVisible(), name);
  }
  assert.ok((await main.locator('.abstract li:visible').count()) >= 3);
  // Sections unfold by a click, without a script.
  const folds = page.locator('details.fold:not([open]) > summary');
  while (await folds.count()) await folds.first().click();
  for (const number of [1, 2, 3, 4]) {
    const table = page.locator(`#table-${number} table`);
    assert.ok(await table.isVisible(), `Table ${number}`);
    assert.equal(await table.locator('tbody tr').count(), number === 1 || number === 4 ? 2 : 4);
  }
  for (const id of ['1', '2', '3', 'a', 'b', '4', 'c', '5', '6', 'd']) {
    const figure = page.locator(`#figure-${id}`);
    assert.ok((await figure.locator('svg:visible :is(path, rect, circle)').count()) >= 4, `figure ${id} is drawn`);
    assert.ok((await figure.locator('.finding').innerText()).length > 40, `figure ${id} has a finding`);
  }
  assert.ok((await page.locator('#method math').count()) >= 5);
  const box = await page.locator('#method math').first().boundingBox();
  assert.ok(box.width > 40 && box.height > 10, 'a formula takes room');
  const commands = await page.locator('#reproduce pre:visible').allInnerTexts();
  for (const word of ['engram study --model engram-llama', 'engram verify', 'engram report', 'engram export']) {
    assert.ok(commands.some(text => text.includes(word)), word);
  }
  const offered = await page.locator(CONTROLS).evaluateAll(all => all.filter(one => one.checkVisibility()).map(one => one.outerHTML));
  assert.deepEqual(offered, []);
  // What folds within them does so, too, and has something in it.
  for (const fold of await page.locator('details:not(.fold)').filter({ visible: true }).all()) {
    await fold.locator('summary').click();
    const body = await fold.innerText();
    assert.ok(body.length > 100, body);
  }
});

test('the printed article and the live one say the same', 60, async use => {
  const [still, moving] = [use(await launch({ context: { javaScriptEnabled: false } })), use(await launch())];
  const printed = await said(await still.open(pathToFileURL(PAGE).href));
  const shown = await said(await opened(moving, PAGE));
  assert.ok(printed.length > 150, `${printed.length} texts`);
  assert.deepEqual(shown, printed);
});

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark']) {
    test(`nothing serious about a page, ${colorScheme}, ${size}`, 90, async use => {
      const browser = use(await launch({ webgpu: false, context: { viewport, colorScheme } }));
      const wrong = [];
      const look = async (page, state) => {
        await shot(page, `report-${state}-${colorScheme}-${size}`);
        await accessible(page, state).catch(error => wrong.push(error.message));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (wide > 0) wrong.push(`${state}: ${wide} pixels wider than the window`);
      };
      const page = await browser.open(pathToFileURL(PAGE).href);
      await live(page);
      await look(page, 'live');
      await unfold(page, 'details');
      await page.locator('#facts tbody button').first().click();
      await look(page, 'unfolded');
      if (wrong.length > 0) throw new Error(wrong.join('\n'));
    });
  }
}

test('the Tab key reaches every control, and leaves again', 90, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE, '#find=Paco');
  const wanted = await page.evaluate(() => {
    const all = document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]');
    const shown = [...all].filter(one => one.checkVisibility({ visibilityProperty: true }) && !one.disabled);
    shown.forEach((one, at) => { one.dataset.stop = at; });
    return shown.length;
  });
  const reached = new Set();
  let left = false;
  for (let at = 0; at < 3 * wanted && !left; at++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => document.activeElement === document.body ? 'left' : document.activeElement.dataset.stop);
    left = stop === 'left' || (at > wanted && stop === '0');
    if (stop) reached.add(stop);
  }
  const missed = await page.evaluate(reached => [...document.querySelectorAll('[data-stop]')]
    .filter(one => !reached.includes(one.dataset.stop)).map(one => one.outerHTML.slice(0, 120)), [...reached]);
  assert.ok(wanted > 60, `${wanted} stops`);
  assert.deepEqual(missed, []);
  assert.ok(left, 'the focus leaves the page again');
});

test('a page prints, without what only a screen can do', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE);
  const pdf = await page.pdf({ path: join(OUT, 'report.pdf'), format: 'A4' });
  assert.ok(pdf.subarray(0, 5).toString() === '%PDF-' && pdf.length > 50_000, `${pdf.length} bytes`);
  await page.emulateMedia({ media: 'print' });
  await shot(page, 'report-print');
  const controls = await page.locator(CONTROLS).evaluateAll(all => all.filter(one => one.checkVisibility() && !one.closest('.fact-table')).map(one => one.outerHTML.slice(0, 200)));
  // In print a link to a fact is its text, and so are the table's rows and heads.
  assert.deepEqual(controls.filter(html => !html.includes('class="link"')), []);
  assert.ok(await page.locator('#table-2 table').isVisible());
});

test('a page stays alive when it is reloaded, and in a second window', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE);
  await page.reload();
  await live(page);
  const other = await opened(browser, PAGE);
  assert.equal(await other.title(), await page.title());
});
