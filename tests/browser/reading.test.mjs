// Reading a result page with the mouse and the keyboard: figures, patch positions, the facts table, addresses.

import assert from 'node:assert/strict';
import { launch, shot } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { chosen, dominant, folder, live, meanSufficiency, opened, sufficiency, twoStudies, unfold } from './lib/result.mjs';

const dir = folder();
const { out: PAGE, records: [LLAMA, PHI] } = twoStudies(dir.path);
process.on('exit', () => void dir.close());

const facts = page => page.getByRole('table', { name: 'Facts', exact: true });
const rows = page => facts(page).locator('tbody tr');
const finding = (page, id) => page.locator(`#${id} .finding`).innerText();
const text = fact => `${fact.prompt} ${fact.target_true}`;

/** The prompts and answers in the facts table, from above. */
const listed = page => rows(page).locator('th button').evaluateAll(all => all.map(one => one.textContent.replace(/\s+/g, ' ').trim()));

/** Waits until the facts table lists these facts, in this order. */
async function lists(page, wanted) {
  const texts = wanted.map(text);
  await until('the facts that are wanted', async () => (await listed(page)).join('\n') === texts.join('\n'), 5)
    .catch(async () => assert.deepEqual(await listed(page), texts));
}

/** The largest share of the effect that a layer gives back; 0 of a fact that was not traced. */
const regained = (fact, reading = 'subject-last') => (fact.outcome === 'validated'
  ? Math.max(...sufficiency(fact, reading)) / (fact.p_clean - fact.p_corrupt) : 0);

/** The values of a bar chart, from its tooltips. */
const values = chart => chart.locator('g.column title').evaluateAll(all =>
  all.map(one => Number(one.textContent.replace('−', '-').match(/: (-?[\d.]+)/)[1])));

test('columns, dots and cells tell of themselves, and a click holds a cell', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE);
  const column = page.locator('#figure-2 g.column').first();
  const look = () => column.locator('.hover').evaluate(one => getComputedStyle(one).fill);
  const before = await look();
  await column.hover();
  assert.notEqual(await look(), before);

  const dots = page.locator('#figure-5');
  const reads = dots.locator('.reads');
  const unread = await reads.innerText();
  await dots.locator('.fit svg .series').nth(2).hover();
  const words = await until('the words of a dot', async () => (await reads.innerText()) !== unread && reads.innerText());
  assert.match(words, /engram-(llama|phi)/);
  const slider = dots.getByRole('slider');
  assert.equal(await slider.getAttribute('aria-valuetext'), words);
  await slider.focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await until('another dot', async () => (await reads.innerText()) !== words);

  const maps = page.locator('#figure-d .maps').first();
  const said = maps.getByRole('status');
  const cell = (row, layer) => maps.locator(`[data-row="${row}"][data-layer="${layer}"]`).first();
  await cell(3, 2).hover();
  const first = await until('the words of a cell', async () => /layer 2/.test(await said.innerText()) && said.innerText());
  await cell(3, 2).click();
  await until('the pin', async () => (await said.innerText()) === `Pinned. ${first}`);
  await cell(5, 4).hover();
  assert.equal(await said.innerText(), `Pinned. ${first}`);
  await page.keyboard.press('Escape');
  await until('no pin', async () => !(await said.innerText()).startsWith('Pinned'));
  await cell(4, 5).hover();
  await until('another cell', async () => /layer 5/.test(await said.innerText()));
  // And without a mouse.
  const grid = maps.getByRole('grid').first();
  await grid.focus();
  for (const key of ['Home', 'ArrowDown', 'ArrowRight', 'Enter']) await page.keyboard.press(key);
  await until('the pin', async () => (await said.innerText()).startsWith('Pinned. '));
  await page.keyboard.press('Escape');
  await until('no pin', async () => !(await said.innerText()).startsWith('Pinned'));
});

test('the patch position changes figures, findings and the address, which brings it back', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE);
  const state = async () => ({
    findings: await page.locator('#article .finding').allInnerTexts(),
    abstract: await page.locator('.abstract').innerText(),
    bars: await values(page.locator('#figure-2 .chart').first()),
    second: await values(page.locator('#figure-3 .chart').first()),
    tables: await page.locator('#tables').innerText(),
    facts: await facts(page).innerText(),
  });
  const agrees = (found, record, reading) => meanSufficiency(record, reading)
    .forEach((mean, at) => assert.ok(Math.abs(found[at] - mean) < 6e-5, `${reading} at ${at + 1}: ${found[at]} and ${mean}`));
  const begun = await state();
  assert.match(await finding(page, 'figure-2'), /Under subject-last/);
  agrees(begun.bars, LLAMA, 'subject-last');
  agrees(begun.second, LLAMA, 'last-token');

  const reading = page.getByRole('group', { name: 'Restore at' });
  await reading.getByRole('button', { name: 'last-token' }).click();
  await until('the address', () => chosen(page).get('reading') === 'last-token');
  const other = await state();
  assert.match(await finding(page, 'figure-2'), /Under last-token/);
  assert.match(await finding(page, 'figure-3'), /Under subject-last/);
  agrees(other.bars, LLAMA, 'last-token');
  agrees(other.second, LLAMA, 'subject-last');
  for (const part of ['abstract', 'facts']) assert.notEqual(other[part], begun[part], part);
  const peak = fact => (regained(fact, 'last-token') >= 0.1 ? [String(dominant(fact, 'last-token'))] : []);
  assert.deepEqual(await rows(page).locator('.c-peak b').allInnerTexts(), LLAMA.facts.flatMap(peak));

  await page.getByRole('checkbox', { name: 'Always assign a layer' }).check();
  await until('the address', () => chosen(page).get('argmax-always') === '1');
  const both = await state();
  await page.reload();
  await live(page);
  await unfold(page);
  assert.deepEqual(await state(), both);
  assert.equal(await page.getByRole('checkbox', { name: 'Always assign a layer' }).isChecked(), true);
  await shot(page, 'report-last-token');

  await page.getByRole('checkbox', { name: 'Always assign a layer' }).uncheck();
  await reading.getByRole('button', { name: 'subject-last' }).click();
  await until('an address without it', () => [...chosen(page)].length === 0);
  assert.deepEqual(await state(), begun);
});

test('the facts are searched, filtered and sorted', 90, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE);
  await lists(page, LLAMA.facts);
  const filters = page.getByRole('group', { name: 'Filters' });
  const chip = name => filters.getByRole('button', { name: new RegExp(`^${name} \\d+$`) });
  const search = page.locator('#facts').getByRole('searchbox');
  const having = word => LLAMA.facts.filter(fact => text(fact).toLowerCase().includes(word));
  const word = ['language', 'capital', 'born', 'speak', 'plays'].find(word => having(word).length > 1);
  assert.ok(word);
  await search.fill(word.toUpperCase());
  await lists(page, having(word));
  assert.equal(chosen(page).get('find'), word.toUpperCase());
  await search.fill(`${word} no-such-word`);
  await lists(page, []);
  await page.locator('#facts').getByRole('button', { name: 'Clear' }).click();
  await lists(page, LLAMA.facts);
  await until('an empty address', () => [...chosen(page)].length === 0);

  const traced = LLAMA.facts.filter(fact => fact.outcome === 'validated');
  const edited = new Set(LLAMA.edits.map(edit => edit.fact));
  const unknown = LLAMA.facts.filter(fact => fact.outcome === 'dropped' && fact.reason === 'not-known');
  const groups = {
    'Not known': unknown,
    'No peak': traced.filter(fact => regained(fact) < 0.1),
    Edited: LLAMA.facts.filter(fact => edited.has(fact.order)),
  };
  for (const [name, wanted] of Object.entries(groups)) {
    assert.ok(wanted.length > 0, name);
    await chip(name).click();
    await lists(page, wanted);
    assert.equal((await chip(name).textContent()).trim(), `${name} ${wanted.length}`);
    assert.equal(chosen(page).get('facts'), name.toLowerCase().replace(' ', '-'));
  }
  const url = page.url();
  const other = await opened(browser, PAGE, new URL(url).hash);
  await lists(other, groups.Edited);
  await other.close();
  await chip('Edited').click();
  await lists(page, LLAMA.facts);
  // Links of older pages.
  const within = traced.filter(fact => regained(fact) >= 0.1 && dominant(fact) >= 2 && dominant(fact) <= 4);
  assert.ok(within.length > 0 && within.length < traced.length);
  const older = await opened(browser, PAGE, '#from=2&to=4');
  await lists(older, within);
  await older.close();

  // Where there is no number, the row is last, whichever way the rest runs; equal rows stay in study order.
  const by = sign => (a, b) => {
    const [x, y] = [a, b].map(fact => fact.p_clean ?? null);
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (x - y);
  };
  const head = facts(page).getByRole('columnheader', { name: /^clean → corrupted[ ↑↓]*$/ });
  await head.getByRole('button').click();
  await lists(page, LLAMA.facts.toSorted(by(1)));
  assert.equal(await head.getAttribute('aria-sort'), 'ascending');
  assert.equal(chosen(page).get('sort'), 'clean');
  await head.getByRole('button').click();
  await lists(page, LLAMA.facts.toSorted(by(-1)));
  assert.equal(await head.getAttribute('aria-sort'), 'descending');
  assert.equal(chosen(page).get('sort'), '-clean');
  await shot(page, 'report-sorted');
});

test('a column of Figure A lists exactly its facts, and marks the layer in the maps', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE);
  const at = layer => LLAMA.facts.filter(fact => dominant(fact) === layer);
  const layer = [2, 3, 4, 5].find(layer => at(layer).length > 0);
  const charts = page.locator('#figure-a .chart');
  const column = charts.nth(0).locator('g.column').nth(layer - 1);
  await column.click();
  await lists(page, at(layer));
  assert.deepEqual([...chosen(page)], [['peak', `argmax-${layer}`]]);
  assert.match(await column.getAttribute('class'), /chosen/);
  const marked = page.locator('#figure-d .maps').first().locator('[role=columnheader].here');
  await until('the marked layer', async () => (await marked.count()) > 0);
  assert.deepEqual([...new Set(await marked.allTextContents())], [String(layer)]);
  await column.click();
  await lists(page, LLAMA.facts);
  assert.equal(await marked.count(), 0);

  const mostly = PHI.facts.map(fact => dominant(fact)).find(layer => layer !== null);
  await charts.nth(1).locator('g.column').nth(mostly - 1).click();
  await lists(page, PHI.facts.filter(fact => dominant(fact) === mostly));
  assert.equal(chosen(page).get('show'), '2');
  assert.equal(await page.getByLabel('Study whose facts are shown').inputValue(), '1');
});

test('the address of a fact shows that fact', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const page = await opened(browser, PAGE);
  const fact = LLAMA.facts.findLast(fact => fact.outcome === 'validated');
  const words = async page => (await page.locator('#fact h3').innerText()).replace(/\s+/g, ' ').trim();
  await rows(page).filter({ hasText: fact.prompt }).getByRole('button').first().click();
  await until('the fact', async () => (await words(page)) === text(fact));
  assert.equal(chosen(page).get('fact'), String(fact.order + 1), 'numbered as the page numbers it');
  const shown = await page.locator('#fact').innerText();
  const other = await opened(browser, PAGE, new URL(page.url()).hash);
  assert.equal(await other.locator('#fact').innerText(), shown);
  assert.ok((await facts(other).locator('tr[aria-current=true]').innerText()).includes(fact.prompt));
  const own = dominant(fact);
  if (own) {
    const marked = other.locator('#figure-d .maps').first().locator('[role=columnheader].here');
    assert.deepEqual([...new Set(await marked.allTextContents())], [String(own)]);
  }
  // A link to a fact of another study, from the table of edits.
  const edit = PHI.edits[0];
  await page.locator('#editing tbody tr').filter({ hasText: 'engram-phi' }).first().getByRole('button').click();
  await until('the fact', async () => (await words(page)) === text(PHI.facts[edit.fact]));
  await until('the fact is in sight', () => page.locator('#fact').evaluate(one => Math.abs(one.getBoundingClientRect().top) < 200), 5);
});

test('an address leads to a place, and nonsense in it changes nothing', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const top = (page, id) => page.evaluate(id => document.getElementById(id).getBoundingClientRect().top, id);
  for (const [hash, id] of [['#see=figure-6', 'figure-6'], ['#method', 'method'], ['#reading=last-token&see=table-3', 'table-3']]) {
    const page = await opened(browser, PAGE, hash);
    await until(`${id} is in sight`, async () => { const at = await top(page, id); return at > -5 && at < 700; }, 5);
    await page.close();
  }
  const page = await opened(browser, PAGE);
  await page.getByRole('link', { name: 'Cite' }).click();
  await until('the citation is in sight', async () => { const at = await top(page, 'cite'); return at > -5 && at < 700; }, 5);
  const nonsense = ['#show=99&fact=-1', '#reading=<script>&from=0&to=1e9&sort=colour', '#find=%00%ff%', '#see=no-such', '#%', '#='];
  for (const hash of nonsense) {
    const other = await opened(browser, PAGE, hash);
    assert.equal(await other.locator('#crash').isVisible(), false, hash);
    assert.equal(await other.getByRole('button', { name: 'subject-last' }).first().getAttribute('aria-pressed'), 'true');
    await other.close();
  }
  const long = await opened(browser, PAGE, `#find=${'a'.repeat(100_000)}`);
  await lists(long, LLAMA.facts);
});
