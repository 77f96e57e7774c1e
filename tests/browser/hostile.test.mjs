// Result pages that somebody has made or changed to do harm, or that were damaged on their way.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { launch, shot } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { folder, live, pageOf, pageOfRecords, STUDY, unfold } from './lib/result.mjs';
import { ELEMENT, packed, repacked, textOf } from './lib/packed.mjs';

const dir = folder();
process.on('exit', () => void dir.close());
const PAGE = readFileSync(pageOf([STUDY], join(dir.path, 'sample.html')), 'utf8');
const RECORD = JSON.parse(gunzipSync(readFileSync(STUDY)));

/** A page has to say what is wrong this soon. */
const SECONDS = 5;

/** Opens a page that was changed; what it asks for (but for what its policy stops) and its dialogs are kept. */
async function opened(browser, name, content) {
  const path = join(dir.path, `${name.replace(/\W+/g, '-')}.html`);
  if (content !== undefined) writeFileSync(path, content);
  const seen = { asked: [], dialogs: [] };
  browser.context.on('request', request => seen.asked.push(request));
  const page = await browser.open(pathToFileURL(path).href, page => page.on('dialog', async dialog => {
    seen.dialogs.push(dialog.message());
    await dialog.dismiss();
  }));
  seen.asking = () => seen.asked.filter(one => !/csp|BLOCKED_BY_CSP/i.test(one.failure()?.errorText ?? '')).map(one => one.url());
  return { page, seen };
}

/** The page says what is wrong, as text, and the printed article stays; gives what it says. */
async function refused(browser, name, content, pattern) {
  const { page } = await opened(browser, name, content);
  const begun = Date.now();
  const crash = page.locator('#crash:not([hidden])');
  await crash.waitFor({ timeout: SECONDS * 1000 }).catch(() => assert.fail(`${name}: nothing is said in ${SECONDS} s`));
  const said = await crash.innerText();
  assert.match(said, pattern, name);
  assert.ok(said.length < 1000, `${name}: ${said.length} characters`);
  assert.ok(Date.now() - begun < SECONDS * 1000, name);
  assert.equal(await page.locator('#article.live').count(), 0, name);
  assert.ok(await page.getByRole('heading', { name: 'Findings' }).isVisible(), `${name}: the article can be read`);
  assert.equal(await page.locator('button').filter({ visible: true }).count(), 0, `${name}: no button is offered`);
  await page.close();
  return said;
}

const SCRIPTS = [
  '</script><script>window.pwned=1</script>',
  '<img src=x onerror="window.pwned=1">',
  '"><svg onload="window.pwned=1">',
  '\'"--><!--<script>window.pwned=1',
  '{{constructor.constructor("window.pwned=1")()}}<a href="javascript:window.pwned=1">x</a>',
];

/** Every text of a record with harm in it. */
function harmful(record) {
  const copy = structuredClone(record);
  const harm = (text, at) => `${SCRIPTS[at % SCRIPTS.length]}\u202e${text}`;
  for (const place of ['name', 'family', 'dtype']) copy.model[place] = harm(copy.model[place], 0);
  copy.program = harm(copy.program, 1);
  copy.source.name = harm(copy.source.name, 2);
  copy.device.name = harm(copy.device.name, 3);
  copy.settings.corruption.with = harm('Random Person', 4);
  copy.facts.forEach((fact, at) => {
    for (const place of ['id', 'relation', 'prompt', 'target_true', 'target_new', 'detail']) {
      if (fact[place] !== undefined) fact[place] = harm(fact[place], at);
    }
    for (const tokens of [fact.tokens, fact.corrupt_tokens, fact.lens?.top]) tokens?.forEach((one, on) => { tokens[on] = harm(one, on); });
  });
  for (const edit of copy.edits) for (const shift of [...edit.paraphrases, ...edit.neighbourhood]) shift.prompt = harm(shift.prompt, 1);
  return copy;
}

test('what a record says is text, wherever it stands', 60, async use => {
  pageOfRecords([harmful(RECORD), harmful(RECORD)], dir.path, 'harm.html');
  for (const javaScriptEnabled of [true, false]) {
    const browser = use(await launch({ webgpu: false, context: { offline: true, javaScriptEnabled } }));
    const { page, seen } = await opened(browser, 'harm');
    if (javaScriptEnabled) await live(page);
    await unfold(page, 'details');
    if (javaScriptEnabled) {
      await page.locator('#facts tbody button').first().click();
      await page.locator('#figure-d [role=gridcell]').first().hover();
      await page.locator('#figure-5 .fit svg').hover();
      await page.getByRole('searchbox').fill(SCRIPTS[0]);
      await shot(page, 'report-harmful');
    }
    const text = await page.locator('#article').innerText();
    for (const script of SCRIPTS) assert.ok(text.includes(script.slice(0, 12)), `${script} is shown`);
    assert.ok(!(await page.content()).includes('\u202e'), 'nothing turns the text round');
    const struck = await page.evaluate(() => [window.pwned, document.querySelectorAll('img, iframe, object, [onload], [onerror], [href^="javascript"]').length]);
    assert.deepEqual([...struck, seen.dialogs, seen.asking().length], [undefined, 0, [], 1]);
    assert.equal(await page.locator('main').count(), 1);
    assert.ok(!(await page.title()).includes('\u202e'));
  }
});

test('a script that was added by hand does not run', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  browser.allow(/Content Security Policy/);
  const harm = '<script>window.pwned=1</script><img src="https://example.org/x.png" onerror="window.pwned=1">'
    + '<script src="data:text/javascript,window.pwned=1"></script><iframe src="data:text/html,x"></iframe>';
  for (const place of ['<main id="article">', '</head>', '</body>', '<p id="crash"']) {
    const { page, seen } = await opened(browser, 'added', PAGE.replace(place, `${harm}${place}`));
    await live(page);
    assert.equal(await page.evaluate(() => window.pwned), undefined, place);
    assert.deepEqual([seen.dialogs, seen.asking().filter(url => !url.startsWith('file:'))], [[], []], place);
    await page.close();
  }
  // The viewer itself, changed by one letter.
  const { page } = await opened(browser, 'other viewer', PAGE.replace('const engramBytes', 'window.pwned = 1; const engramBytes'));
  await page.waitForTimeout(500);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.ok(await page.getByRole('heading', { name: 'Findings' }).isVisible());
});

test('damaged records are an error in words, and the article stays', 120, async use => {
  const browser = use(await launch({ webgpu: false }));
  const text = textOf(PAGE);
  const other = text => PAGE.replace(textOf(PAGE), () => text);
  const cases = [
    ['cut in half', other(text.slice(0, text.length / 2)), /error: .*damaged|error: /],
    ['a letter changed', other(`${text.slice(0, 4000)}${text[4000] === 'A' ? 'B' : 'A'}${text.slice(4001)}`), /error: /],
    ['a strange letter', other(`${text.slice(0, 99)}é${text.slice(100)}`), /error: the packed text is damaged/],
    ['empty', other(''), /error: packed records/],
    ['spaces', other('   \n  '), /error: packed records/],
    ['not gzip', other(packed(Buffer.from('engram\x00\x01 is not gzip'))), /do not begin as gzip does/],
    ['no element', PAGE.replace(ELEMENT, '<script type="application/gzip" id="another">'), /carries no engram-records/],
    ['another mark', other(packed(gzipSync(Buffer.from('engrxm\x00\x01')))), /do not begin with their mark/],
    ['newer', other(packed(gzipSync(Buffer.from('engram\x00\x02rest')))), /of a newer format/],
    ['version 999', other(repacked(text, hollow => { hollow.records[0].engram = 999; })), /error: .*(999|newer)/],
    ['no records', other(repacked(text, () => ({ records: [], counts: [], facts: [], edits: [] }), () => Buffer.alloc(0))), /carries no study/],
    ['a count too many', other(repacked(text, hollow => { hollow.counts[0][0] += 1; })), /counts of facts do not fit/],
    ['endless counts', other(repacked(text, hollow => { hollow.counts[0][0] = 2 ** 32 - 1; })), /counts of facts do not fit/],
    ['an endless curve', other(repacked(text, hollow => { hollow.facts[0].without_mlp = [16777216]; })), /raw values/],
    ['values cut off', other(repacked(text, () => {}, planes => planes.subarray(0, planes.length - 400))), /raw values/],
    ['deeply nested', other(repacked(text, () => '['.repeat(500_000))), /error: packed records/],
    ['layers', other(repacked(text, hollow => { hollow.records[0].model.layers = 4_000_000_000; })), /error: /],
    ['values that are no numbers', other(repacked(text, () => {}, planes => planes.map((_, at) => at * at * 31))), /error: .* is (NaN|-?inf)/],
    ['sentences', PAGE.replace(/(id="engram-words">)[^<]*/, '$1AAAA'), /error: /],
  ];
  for (const [name, content, pattern] of cases) {
    assert.notEqual(content, PAGE, name);
    console.log(`${name}: ${await refused(browser, name, content, pattern)}`);
  }
});

test('records of 150,001 facts are refused at once', 60, async use => {
  const browser = use(await launch({ webgpu: false }));
  const dropped = RECORD.facts.find(fact => fact.outcome === 'dropped');
  const fact = { ...dropped, p_clean: undefined, p_corrupt: undefined };
  const facts = Array.from({ length: 150_001 }, (_, order) => ({ ...fact, order }));
  const many = repacked(textOf(PAGE), hollow => {
    Object.assign(hollow, { facts, edits: [], counts: [[facts.length, 0]] });
    hollow.records[0].edits = null;
  }, () => Buffer.alloc(0));
  const said = await refused(browser, 'many', PAGE.replace(textOf(PAGE), () => many), /150001 facts; a page shows at most 150000/);
  console.log(said);
});

test('absurd numbers, and the records of another page, are drawn or refused, and nothing hangs', 90, async use => {
  const browser = use(await launch({ webgpu: false }));
  const other = text => PAGE.replace(textOf(PAGE), () => text);
  const absurd = [
    ['settings', hollow => { Object.assign(hollow.records[0].settings, { n: 2 ** 32 - 1, rows: 2 ** 32 - 1, window: 2 ** 32 - 1, maps: 2 ** 32 - 1 }); }],
    ['model', hollow => { Object.assign(hollow.records[0].model, { parameters: 2 ** 32 - 1, width: 2 ** 32 - 1 }); }],
    ['orders', hollow => { hollow.facts.forEach(fact => { fact.order = 2 ** 32 - 1; }); }],
    ['spans', hollow => { hollow.facts.forEach(fact => { if (fact.subject_span) fact.subject_span = [2 ** 32 - 1, 2 ** 32 - 1]; }); }],
    ['edits', hollow => { hollow.edits.forEach(edit => Object.assign(edit, { fact: 2 ** 32 - 1, layer: 2 ** 32 - 1 })); }],
    ['tokens', hollow => { hollow.facts.forEach(fact => { if (fact.tokens) fact.tokens = []; }); }],
    ['texts', hollow => { hollow.facts.forEach(fact => { fact.prompt = 'x'.repeat(100_000); }); }],
    ['readings', hollow => { hollow.records[0].settings.readings = Array(100_000).fill('subject-last'); }],
    ['stages', hollow => { hollow.records[0].settings.stages = Array(100_000).fill(2); }],
    ['name', hollow => { hollow.records[0].model.name = 'x'.repeat(1_000_000); }],
    ['studies', hollow => {
      const one = hollow.records[0];
      hollow.records = Array.from({ length: 200 }, (_, at) => (at ? { ...one, edits: null, model: { ...one.model, name: `m${at}` } } : one));
      hollow.counts = hollow.records.map((_, at) => (at ? [0, 0] : hollow.counts[0]));
    }],
    ['window', hollow => { hollow.facts.forEach(fact => { if (fact.maps) fact.maps.window = 2 ** 32 - 1; }); }],
  ];
  for (const [name, change] of absurd) {
    const { page } = await opened(browser, `absurd ${name}`, other(repacked(textOf(PAGE), change)));
    const crash = page.locator('#crash:not([hidden])');
    const begun = Date.now();
    await page.locator('#article.live h1').or(crash).first().waitFor({ timeout: SECONDS * 1000 })
      .catch(() => assert.fail(`${name}: neither drawn nor refused in ${SECONDS} s`));
    const said = (await crash.count()) ? await crash.innerText() : 'drawn';
    console.log(`absurd ${name}: ${said}, ${Date.now() - begun} ms`);
    assert.ok(!said.includes('crashed'), `${name}: ${said}`);
    // It still answers.
    if (said === 'drawn') {
      await unfold(page);
      await page.locator('#facts tbody button').first().click({ timeout: SECONDS * 1000 });
    }
    await page.close();
  }

  // Another page's records: the viewer draws what is there, and `engram verify` tells of the text.
  const small = structuredClone(RECORD);
  small.facts.length = 8;
  small.model.name = 'another';
  small.edits = small.edits.filter(edit => edit.fact < 8);
  const foreign = readFileSync(pageOfRecords([small], dir.path, 'small.html'), 'utf8');
  const { page } = await opened(browser, 'pasted', other(textOf(foreign)));
  await live(page);
  await until('its facts', async () => (await page.locator('#facts tbody tr').count()) === 8);
  await page.close();
});
