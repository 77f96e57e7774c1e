// The largest page that is promised: five studies of 30 layers and 500 facts, of numbers that nothing can pack.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { loadavg } from 'node:os';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { launch, shot } from './lib/browser.mjs';
import { numbers, same, test, until } from './lib/check.mjs';
import { large, SIZE } from './lib/large.mjs';
import { folder, live, pageOfRecords, SAMPLE, saved, timed, unfold } from './lib/result.mjs';

/** Most bytes of the page. */
const MOST = 4_500_000;
/** Longest wait for the viewer, in ms. */
const LATEST = 5000;
const TRIES = 3;

test('five large studies stay a small file, are soon alive, and lose no bit', 180, async use => {
  const { path } = use(folder());
  const like = JSON.parse(gunzipSync(readFileSync(SAMPLE)));
  const records = Array.from({ length: 5 }, (_, at) => large(like, `made-up-${at + 1}`, at));
  const begun = Date.now();
  const out = pageOfRecords(records, path);
  const bytes = statSync(out).size;
  const raw = numbers(records.map(({ facts, edits }) => [facts, edits])).length;
  console.log(`${bytes.toLocaleString('en')} bytes, ${raw.toLocaleString('en')} numbers, made in ${Date.now() - begun} ms`);
  assert.ok(raw > 5 * SIZE.facts * SIZE.layers * 7, `${raw} numbers`);
  assert.ok(bytes < MOST, `${bytes} bytes`);

  let best = Infinity;
  let page;
  for (let at = 0; at < TRIES && best > LATEST / 5; at++) {
    const browser = use(await launch({ webgpu: false, context: { offline: true } }));
    page = await browser.open(pathToFileURL(out).href, timed);
    await live(page, 60);
    best = Math.min(best, await until('the time', () => page.evaluate(() => window.liveAt)));
  }
  console.log(`alive after ${Math.round(best)} ms, load ${loadavg()[0].toFixed(1)}`);
  await shot(page, 'report-large');
  await unfold(page);
  assert.ok(best < LATEST, `alive after ${best} ms only`);

  for (const [at, record] of records.entries()) {
    await page.getByLabel('Study whose facts are shown').selectOption(String(at));
    const [name, json] = await saved(page, page.getByRole('button', { name: 'Record (JSON)' }));
    assert.equal(name, `${record.model.name}.engram.json`);
    // Equal digits are not asked for, only equal bits: every number here is an f32.
    const bits = value => JSON.parse(value, (_, one) => (typeof one === 'number' ? Math.fround(one) : one));
    const [found, wanted] = [bits(json), bits(JSON.stringify(record))];
    for (const part of ['facts', 'edits']) same(found[part], wanted[part], 0, `${name}, ${part}`);
  }

  // A reader's clicks are answered at once, too.
  const clicked = Date.now();
  await page.getByRole('group', { name: 'Restore at' }).getByRole('button', { name: 'last-token' }).click();
  await page.locator('#figure-2 .finding').filter({ hasText: 'Under last-token' }).waitFor();
  console.log(`another patch position after ${Date.now() - clicked} ms`);
  const searched = Date.now();
  await page.getByRole('searchbox').fill('Subject 499');
  await until('one fact', async () => (await page.locator('#facts .fact-table tbody tr').count()) === 1);
  console.log(`one of ${SIZE.facts} facts after ${Date.now() - searched} ms`);
});
