// A GPU that the system takes away from the page in the middle of work: there is a sentence, and nothing finished is lost.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { accessible } from './lib/axe.mjs';
import { shot, show, started } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { losing } from './lib/gpu.mjs';
import { begin, DAVIS, device, fill, go, recordOf, traced, tracing } from './lib/lab.mjs';
import { agree, nativeTrace } from './lib/native.mjs';
import { BUNDLED } from './lib/paths.mjs';
import { keeps, studied, study, studying } from './lib/studies.mjs';

/** A page whose GPU is lost so often, each time when its worker has said this. */
async function beginLosing(use, text, times) {
  const lab = await begin(use);
  losing(lab.site, text, times);
  await lab.page.reload();
  await started(lab.page);
  // What the graphics library logs about it.
  lab.browser.allow(/device was lost|poison|destroyed|panicked/i);
  await device(lab.page, 'GPU');
  return lab;
}

test('a device that is lost in a trace is told in words, and the CPU goes on', 180, async use => {
  const { page } = await beginLosing(use, '"map-row"', 1);
  await show(page, 'Trace');
  await fill(page, DAVIS);
  await go(page).click();
  const told = page.getByText(/the graphics device was lost/i).first();
  await told.waitFor({ timeout: 90_000 });
  await shot(page, 'lost-trace');
  await accessible(page, 'a lost device');
  assert.equal(await page.locator('#crash').isVisible(), false);
  await device(page, 'CPU');
  await show(page, 'Trace');
  await go(page).click();
  await traced(page);
  const { facts: [fact], settings } = await recordOf(page);
  console.log(agree(fact, nativeTrace(join(BUNDLED, 'engram-relay'), { ...DAVIS, ...settings, maps: true }).facts[0]));
});

test('a study goes on after each loss, then says why it stops, and keeps its facts', 300, async use => {
  const { page } = await beginLosing(use, '"phase":"redundancy"', 3);
  await study(page, 1);
  const panel = studying(page);
  for (const attempt of [1, 2]) {
    await panel.getByText(new RegExp(`The engine was lost .*attempt ${attempt} of 2`)).waitFor({ timeout: 90_000 });
  }
  const stopped = panel.getByText(/A study of engram-relay stopped/);
  await stopped.waitFor({ timeout: 90_000 });
  assert.doesNotMatch(await stopped.innerText(), /at 0 of/, 'its fact is kept');
  assert.equal(await page.getByText(/^error: the graphics device was lost/).count(), 1, 'three losses are told once');
  await shot(page, 'lost-study');
  assert.equal(await page.locator('#crash').isVisible(), false);

  await page.reload();
  await started(page);
  await keeps(page, /^1 of 1 facts?, not finished/);
  await device(page, 'CPU');
  await show(page, 'Study');
  await panel.getByRole('button', { name: 'Resume' }).first().click();
  await studied(page);
  await keeps(page, /^1 of 1 facts?, finished/);
});
