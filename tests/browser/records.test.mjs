// Records of studies on the page: opened from a link, a file, a drop; hostile ones; and a link that reproduces a view.

import assert from 'node:assert/strict';
import { accessible } from './lib/axe.mjs';
import { drop, launch, SIZES, shot, started } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { nativeStudy } from './lib/native.mjs';
import { DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';

const LLAMA = nativeStudy('engram-llama');
const PHI = nativeStudy('engram-phi');

/** The same study as one of a model with five times as many layers: charts wider than a phone. */
function deeper(text) {
  const record = JSON.parse(text);
  const times = list => Array(5).fill(list).flat();
  const layered = value =>
    Array.isArray(value) && value.length === record.model.layers && value.every(n => n === null || typeof n === 'number');
  const facts = JSON.parse(JSON.stringify(record.facts), (_, value) => (layered(value) ? times(value) : value));
  return JSON.stringify({ ...record, model: { ...record.model, layers: record.model.layers * 5 }, facts });
}

/** What can be read of the shown record: open records, switches, the chosen fact and the tables. */
async function view(page) {
  const study = page.getByRole('tabpanel', { name: 'Study' });
  await study.getByRole('button', { name: /^Close / }).first().waitFor({ timeout: 20_000 });
  // What is folded is read, too.
  await study.evaluate(panel => panel.querySelectorAll('.beneath > details').forEach(fold => { fold.open = true; }));
  await study.getByText('weights SHA-256').first().waitFor();
  const text = await study.innerText();
  const pressed = await page.locator('[aria-pressed=true], [aria-current=true]').allInnerTexts();
  const always = await study.getByRole('checkbox', { name: /Always assign a layer/ }).isChecked();
  return { text, pressed, always };
}

test('a link opens records, and the address brings the view back', 90, async use => {
  const site = use(await serve(DIST, { at: '/lab/', pages: { 'a.engram.json': LLAMA, 'b.engram.json': PHI } }));
  const browser = use(await launch());
  const page = await browser.open(`${site.url}?tab=study&record=a.engram.json&record=b.engram.json`);
  await started(page);
  await page.getByRole('navigation', { name: 'Open records' }).getByRole('button', { name: 'engram-phi', exact: true }).click();
  await page.getByRole('group', { name: 'Restore at' }).getByRole('button', { name: 'last token', exact: true }).click();
  await page.getByRole('checkbox', { name: /Always assign a layer/ }).check();
  await page.locator('.fact-table tbody tr').nth(2).click();
  const wanted = await view(page);
  assert.ok(wanted.always && wanted.pressed.some(text => text.includes('engram-phi')), wanted.pressed.join());
  await shot(page, 'record');

  // The address follows an effect; another window then has nothing but the address.
  const url = await until('the fact in the address', () => /fact=\d+/.test(page.url()) && page.url());
  const other = use(await launch());
  const again = await other.open(url);
  await started(again);
  await until('the second record', async () => (await view(again)).pressed.length === wanted.pressed.length);
  assert.deepEqual(await view(again), wanted);
});

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark']) {
    test(`nothing serious about a shown record, ${colorScheme}, ${size}`, 60, async use => {
      const site = use(await serve(DIST));
      const browser = use(await launch({ context: { viewport, colorScheme } }));
      const page = await browser.open(`${site.url}?tab=study`);
      await started(page);
      for (const [name, record] of [['record', LLAMA], ['deep-record', deeper(LLAMA)]]) {
        await drop(page, [[`${name}.engram.json`, record]]);
        await view(page);
        await shot(page, `${name}-${colorScheme}-${size}`);
        await accessible(page, name);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(wide <= 0, `${name}: ${wide} pixels wider than the window`);
      }
    });
  }
}

test('a hostile record is text, and a broken one an error', 60, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch());
  const page = await browser.open(`${site.url}?tab=study`);
  await started(page);
  const hostile = JSON.parse(LLAMA);
  const script = '<img src=x onerror="window.struck=1"><script>window.struck=1</script>';
  hostile.model.name = `${script}\u202egnp`;
  for (const fact of hostile.facts) fact.prompt = `${script} ${fact.prompt}`;
  await drop(page, [['<b>x.engram.json', JSON.stringify(hostile)], ['bad.engram.json', '{"engram":9}']]);
  const { text } = await view(page);
  assert.ok(text.includes('<img src=x'), 'the name is shown as it is');
  assert.equal(await page.evaluate(() => window.struck), undefined);
  assert.ok(!text.includes('\u202e'), 'nothing turns the text round');
  await page.getByRole('alert').filter({ hasText: 'bad.engram.json' }).waitFor({ timeout: 10_000 });
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await until('no error is shown', async () => (await page.getByRole('button', { name: 'Dismiss' }).count()) === 0);
});
