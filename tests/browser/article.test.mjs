// The layout of a result page over five models: what the first screen shows, what is folded and how it opens, one figure for other
// pages, print, and servers that refuse scripts.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { accessible } from './lib/axe.mjs';
import { launch, shot } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { OUT } from './lib/paths.mjs';
import { engram, folder, live, opened, pageOf, timed, unfold } from './lib/result.mjs';

const MODELS = ['engram-llama', 'engram-qwen2', 'engram-gemma2', 'engram-phi', 'engram-llama-large'];
const dir = folder();
process.on('exit', () => void dir.close());
const studies = ['-n', '20', '--maps', '2', '--edit-facts', '2', '--edit-method', 'rome', '--facts', 'bundled', '--device', 'cpu'];
engram('study', '--model', ...MODELS, ...studies, '--out', dir.path);
const FILES = MODELS.map(model => join(dir.path, `${model}.engram.json`));
const PAGE = pageOf(FILES, join(dir.path, 'five.html'));
const ONE = pageOf(FILES.slice(0, 1), join(dir.path, 'one.html'));

/** Most bytes of a page of five models, most sheets that it prints, and how soon it answers, in ms. */
const [MOST, SHEETS, SOON] = [2_000_000, 10, 1500];
const SCREENS = { laptop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

const fold = (page, id) => page.locator(`details.fold#${id}`);
const isOpen = (page, id) => fold(page, id).evaluate(one => one.open);
const box = (page, selector) => page.locator(selector).first().boundingBox();

test('five models are a small page, which soon answers', 90, async use => {
  const bytes = statSync(PAGE).size;
  assert.ok(bytes <= MOST, `${bytes} bytes`);
  let best = Infinity;
  for (let at = 0; at < 3 && best > SOON; at++) {
    const browser = use(await launch({ webgpu: false, context: { offline: true } }));
    const page = await browser.open(pathToFileURL(PAGE).href, timed);
    await live(page);
    best = Math.min(best, await until('the time', () => page.evaluate(() => window.liveAt)));
  }
  const [load] = loadavg();
  console.log(`${bytes.toLocaleString('en')} bytes, alive after ${Math.round(best)} ms, load ${load.toFixed(1)}`);
  if (load < 1.5) assert.ok(best <= SOON, `alive after ${best} ms only`);
});

for (const [size, viewport] of Object.entries(SCREENS)) {
  for (const colorScheme of ['light', 'dark']) {
    test(`the first screen has the finding and the lead figure, ${colorScheme}, ${size}`, 60, async use => {
      const browser = use(await launch({ webgpu: false, context: { viewport, colorScheme } }));
      for (const [name, path] of [['five', PAGE], ['one', ONE]]) {
        const page = await browser.open(pathToFileURL(path).href);
        await live(page);
        await page.screenshot({ path: join(OUT, `article-${name}-${colorScheme}-${size}.png`) });
        const panels = await page.locator('.leads .plot').all();
        assert.equal(panels.length, name === 'five' ? 15 : 3);
        const ends = await Promise.all(panels.map(async panel => { const at = await panel.boundingBox(); return at.y + at.height; }));
        // A phone shows the first panels, a laptop all of them, and the finding beneath.
        assert.ok(Math.min(...ends) < viewport.height, `${name}: ${ends}`);
        if (size === 'laptop') {
          assert.ok(Math.max(...ends) < viewport.height, `${name}: ${ends}`);
          assert.ok((await box(page, '.leads .finding')).y < viewport.height - 24, name);
        }
        for (const closed of ['localization', 'tables', 'method']) assert.equal(await isOpen(page, closed), false, closed);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.equal(wide, 0, `${name}: ${wide} pixels wider than the window`);
        await accessible(page, name);
        await page.close();
      }
    });
  }
}

test('panels share headers and axes, and are read by mouse and arrow keys', 60, async use => {
  const browser = use(await launch({ webgpu: false, context: { viewport: SCREENS.laptop } }));
  const page = await opened(browser, PAGE);
  const grid = page.locator('#figure-1 .multiples');
  assert.deepEqual(await grid.locator('h3.study').allInnerTexts(), MODELS);
  const lefts = await grid.locator('.plot').evaluateAll(all => all.map(one => Math.round(one.getBoundingClientRect().left)));
  assert.equal(new Set(lefts).size, 5, 'a column a model');
  const said = page.locator('#figure-1 .reads');
  await grid.locator('.plot').first().hover();
  await until('the words of a cell', async () => /layer \d+: recovery/.test(await said.innerText()));
  await grid.focus();
  const walk = async (key, wanted) => {
    await page.keyboard.press(key);
    await until(`${wanted} after ${key}`, async () => wanted.test(await said.innerText()), 5);
  };
  await walk('Home', /engram-llama, State, .*, layer 1: recovery/);
  await walk('ArrowRight', /layer 2: recovery/);
  await walk('PageDown', /engram-llama, MLP/);
  assert.ok((await grid.locator('.here').count()) >= 1, 'the cell is marked');
  assert.equal(await page.locator('input[type=range]').count(), 0, 'no slider is left');
});

test('#fact=17 opens the fact that the table numbers 17', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await browser.open(`${pathToFileURL(PAGE).href}#show=2&fact=17`);
  await live(page);
  await until('the section is open', () => isOpen(page, 'facts'), 5);
  await until('the fact is in sight', async () => { const at = (await box(page, '#fact')).y; return at > -5 && at < 300; }, 5);
  assert.match(await page.locator('#fact').innerText(), /Fact 17, id /);
  const row = page.locator('#facts tbody tr[aria-current=true]');
  assert.equal(await row.locator('td').first().innerText(), '17');
  // A place by its name opens what it is in, without a reload, too.
  await page.evaluate(() => { location.hash = '#cite'; });
  await until('the citation', async () => (await isOpen(page, 'reproduce')) && page.locator('#cite').isVisible(), 5);
  assert.match(await page.locator('#reproduce pre').nth(2).innerText(), /^@misc\{engram-llama-and-4-more,\n {2}title = \{Where 5 language models/);
});

test('what is copied: an element for one figure, digests in full', 60, async use => {
  const browser = use(await launch({ webgpu: false, context: { permissions: ['clipboard-read', 'clipboard-write'] } }));
  const page = await opened(browser, PAGE);
  await unfold(page, 'details');
  const copied = async button => {
    await button.click();
    await page.getByRole('status').filter({ hasText: /^Copied/ }).waitFor();
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const html = await copied(page.locator('#figure-b > .menu').getByRole('button', { name: 'Embed' }));
  assert.match(html, /^<iframe src="file:.*five\.html#figure=b&amp;embed" title="Figure B\. /);
  const record = JSON.parse(readFileSync(FILES[0]));
  const digest = page.locator('#reproduce dl').first().getByRole('button', { name: 'Copy the digest' }).first();
  assert.equal(await copied(digest), record.model.weights_sha256);
  const code = page.locator('#reproduce dl code.hash').first();
  assert.equal(await code.innerText(), `${record.model.weights_sha256.slice(0, 12)}…`);

  // Within another page only that figure is seen, and answers.
  const around = join(dir.path, 'around.html');
  writeFileSync(around, `<!doctype html><title>Around</title><h1>Around</h1>${html}`);
  const outer = await browser.open(pathToFileURL(around).href);
  const inner = outer.frames().find(frame => frame !== outer.mainFrame());
  await inner.locator('#article.live').waitFor({ state: 'attached' });
  await inner.locator('#figure-b .plot').first().waitFor();
  for (const gone of ['h1', '#figure-1', '#tables', '.top', '.fold > summary']) {
    assert.equal(await inner.locator(gone).first().isVisible(), false, gone);
  }
  assert.match(await inner.locator('a.whole').getAttribute('href'), /five\.html#see=figure-b$/);
  await inner.locator('#figure-b .plot').first().hover();
  await until('its words', async () => /layer \d+: lost/.test(await inner.locator('#figure-b .reads').innerText()), 5);
});

/** Sheets of a printed page. */
const sheets = pdf => (pdf.toString('latin1').match(/\/Type\s*\/Page[^s]/g) ?? []).length;

test('it prints on few sheets, unfolded, with no heading left alone', 90, async use => {
  for (const javaScriptEnabled of [true, false]) {
    const browser = use(await launch({ webgpu: false, context: { javaScriptEnabled, colorScheme: 'dark' } }));
    const page = await browser.open(pathToFileURL(PAGE).href);
    if (javaScriptEnabled) await live(page);
    const pdf = await page.pdf({ path: join(OUT, `article-${javaScriptEnabled ? 'live' : 'still'}.pdf`), format: 'A4' });
    console.log(`${sheets(pdf)} sheets, scripts ${javaScriptEnabled ? 'on' : 'off'}`);
    assert.ok(sheets(pdf) > 3 && sheets(pdf) <= SHEETS, `${sheets(pdf)} sheets`);
    if (!javaScriptEnabled) continue;
    await page.setViewportSize({ width: 703, height: 1000 });
    await page.emulateMedia({ media: 'print' });
    await shot(page, 'article-print');
    assert.ok(await page.locator('#table-2 table').isVisible(), 'folded tables are printed');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 1, `${wide} pixels wider than the sheet, which makes all of it smaller`);
    const blue = await page.locator('a[href]:visible').evaluateAll(all => all.map(one => getComputedStyle(one).textDecorationLine));
    assert.ok(blue.every(line => line === 'none'), 'no link looks like one');
  }
});

/** A server that sends a page with a policy of its own. */
function serve(policy) {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy });
    response.end(readFileSync(PAGE));
  });
  return new Promise(done => server.listen(0, '127.0.0.1', () => done({
    url: `http://127.0.0.1:${server.address().port}/five.html`,
    close: async () => { server.closeAllConnections(); server.close(); },
  })));
}

test('a server may refuse scripts, or allow this one alone', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  browser.allow(/Content.Security.Policy|favicon|404/);
  const own = readFileSync(PAGE, 'utf8').match(/script-src ('sha256-[^;]*);/)[1];
  const rest = "style-src 'unsafe-inline'; img-src data: blob:";
  const strict = use(await serve(`default-src 'none'; script-src 'none'; ${rest}`));
  const still = await browser.open(strict.url);
  assert.equal(await still.locator('#article.live').count(), 0);
  assert.ok(await still.getByRole('heading', { name: 'Check it' }).isVisible());
  assert.equal(await still.locator('button').filter({ visible: true }).count(), 0, 'no button is offered');
  await still.locator('#method > summary').click();
  assert.ok(await still.locator('#method math').first().isVisible(), 'sections unfold');
  const exact = use(await serve(`default-src 'none'; script-src ${own}; ${rest}`));
  await live(await browser.open(exact.url));
  // A server that allows the script but no WebAssembly: the page says what does not work.
  const half = use(await serve(`default-src 'none'; script-src ${own.split(' ')[0]}; ${rest}`));
  const page = await browser.open(half.url);
  await page.locator('#crash').filter({ hasText: 'The article itself is complete.' }).waitFor();
});
