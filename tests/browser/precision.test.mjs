// What matrices are held in: the engine in f16 against the native program in f32, and the switch on the page.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { launch, show, started } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { begin, DAVIS, device, panel } from './lib/lab.mjs';
import { agree, nativeTrace } from './lib/native.mjs';
import { BUNDLED, DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { engine } from './lib/worker.mjs';

/** Takes 16-bit numbers away from every adapter. */
const WITHOUT_HALVES = `
  const { get } = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, 'features');
  Object.defineProperty(GPUAdapter.prototype, 'features', {
    get() {
      return new Set([...get.call(this)].filter(name => name !== 'shader-f16'));
    },
  });`;

const LLAMA = { from: 'bundled', name: 'engram-llama' };

async function lab(use, device, before) {
  const site = use(await serve(DIST));
  const browser = use(await launch({ webgpu: true }));
  const lab = await engine(browser, site, { before });
  return { lab, report: await lab.start(device) };
}

test('a model is held in f16 where it is asked for, and its records say so', 240, async use => {
  const { lab: engine, report } = await lab(use, 'gpu');
  const half = await engine.ask({ ask: 'load', model: LLAMA, precision: 'f16' });
  if (!report.adapter.shader_f16) {
    const failed = await half.failed();
    assert.ok(failed.kind === 'device' && failed.hint.includes('f32'), JSON.stringify(failed));
    return;
  }
  const loaded = await half.last('loaded');
  assert.deepEqual([loaded.precision, loaded.precision_why], ['f16', null]);
  const question = { ...DAVIS, maps: false, readings: ['last-token'] };
  const { record } = await engine.trace(question);
  assert.deepEqual([record.device.kind, record.device.precision], ['gpu', 'f16']);
  console.log(agree(record.facts[0], nativeTrace(join(BUNDLED, 'engram-llama'), question).facts[0]));

  // Without a wish f32, which fits.
  const full = await engine.load(LLAMA);
  assert.deepEqual([full.precision, full.precision_why], ['f32', null]);
});

test('an adapter without 16-bit numbers, and the CPU, refuse f16 with advice', 120, async use => {
  for (const [where, before] of [['gpu', WITHOUT_HALVES], ['cpu', undefined]]) {
    const { lab: engine, report } = await lab(use, where, before);
    assert.ok(!report.adapter?.shader_f16, where);
    const failed = await (await engine.ask({ ask: 'load', model: LLAMA, precision: 'f16' })).failed();
    assert.ok(failed.kind === 'device' && failed.hint.includes('f32'), JSON.stringify(failed));
    const loaded = await engine.load(LLAMA);
    assert.equal(loaded.precision, 'f32', where);
  }
});

test('the switch says what can be chosen, what is in force, and is kept', 240, async use => {
  const { page } = await begin(use);
  await device(page, 'GPU');
  const models = panel(page, 'Models');
  const precision = models.getByRole('group', { name: 'Precision' });
  const status = page.getByRole('contentinfo', { name: 'Status' });
  const load = models.getByRole('button', { name: 'Load engram-relay', exact: true });
  await load.click();
  await status.getByText(/GPU .*, f32$/).waitFor({ timeout: 120_000 });
  const half = precision.getByRole('button', { name: 'f16', exact: true });
  assert.equal(await precision.getByRole('button', { name: 'Automatic' }).getAttribute('aria-pressed'), 'true');
  const has = await half.isEnabled();
  if (has) {
    await half.click();
    await status.getByText(/GPU .*, f16$/).waitFor({ timeout: 120_000 });
    await models.getByText('The loaded model\'s matrices are held in f16.').waitFor();
  } else {
    assert.match(await precision.innerText(), /has no 16-bit numbers/);
  }
  await page.reload();
  await started(page);
  await show(page, 'Models');
  const chosen = has ? half : precision.getByRole('button', { name: 'Automatic' });
  await until('the choice of the last visit', async () => (await chosen.getAttribute('aria-pressed')) === 'true');
  // On the CPU there is nothing to choose, and a choice of f16 is no error.
  await device(page, 'CPU');
  await models.getByText('The CPU computes in f32.').waitFor();
  assert.equal(await precision.count(), 0);
  await load.click();
  await status.getByText('engram-relay', { exact: true }).waitFor({ timeout: 120_000 });
  assert.match(await status.innerText(), /CPU/);
});
