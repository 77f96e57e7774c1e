// Machines without a usable GPU: the lab says why, and computes on the CPU.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { same, test } from './lib/check.mjs';
import { DEFAULTS, lowered } from './lib/gpu.mjs';
import { DAVIS } from './lib/lab.mjs';
import { agree, nativeTrace, WITHIN } from './lib/native.mjs';
import { BUNDLED, DIST, FIXTURES } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { engine } from './lib/worker.mjs';

const FRANCE = { prompt: 'The capital of France is', subject: 'France', target: 'Paris', target_new: 'Rome' };

/** What the CPU answers, against the native program. */
async function computes(lab) {
  await lab.loadFolder(join(FIXTURES, 'gemma3'), 'gemma3');
  const { record } = await lab.trace(FRANCE);
  same(record.facts[0].patched, nativeTrace(join(FIXTURES, 'gemma3'), FRANCE).facts[0].patched, WITHIN, 'patches');
}

const CASES = [
  ['without WebGPU', { webgpu: false, before: 'delete WorkerNavigator.prototype.gpu;' }, 'no-web-gpu'],
  ['with WebGPU but no adapter', { webgpu: false }, 'no-adapter'],
  ['with a software adapter', { webgpu: true }, 'software'],
];

for (const [what, { webgpu, before }, trouble] of CASES) {
  test(`the CPU is taken ${what}`, 120, async use => {
    const site = use(await serve(DIST));
    const browser = use(await launch({ webgpu }));
    const lab = await engine(browser, site, { before });
    const report = await lab.start('auto');
    assert.equal(report.info.kind, 'cpu', report.why);
    assert.equal(report.trouble, trouble, report.why);
    assert.ok(report.why.length > 0 && report.gflops > 0);
    console.log(`${report.why} (${report.gflops.toFixed(2)} GFLOP/s)`);
    await computes(lab);
  });
}

test('the CPU is taken where the page is not trusted, and nothing is kept', 120, async use => {
  // A name that is not localhost, without https: such a page gets neither WebGPU nor storage.
  const site = use(await serve(DIST));
  const browser = use(await launch({ flags: ['--host-resolver-rules=MAP lab.test 127.0.0.1'] }));
  site.url = site.url.replace('localhost', 'lab.test');
  const lab = await engine(browser, site);
  const report = await lab.start('auto');
  assert.equal(report.trouble, 'insecure', report.why);
  await computes(lab);
  const cache = await (await lab.ask({ ask: 'cache' })).final();
  assert.ok(cache.news === 'failed' ? cache.hint : cache.models.length === 0, JSON.stringify(cache));
});

/** A GPU's trace, against the native program. */
async function computesWithin(use, limits, load, folder, question) {
  const site = use(await serve(DIST));
  const browser = use(await launch({ webgpu: true }));
  const lab = await engine(browser, site, { before: lowered(limits) });
  const { adapter } = await lab.start('gpu');
  assert.deepEqual([adapter.max_binding_bytes, adapter.max_buffer_bytes], [limits.maxStorageBufferBindingSize, limits.maxBufferSize]);
  await load(lab);
  const { record } = await lab.trace(question);
  console.log(agree(record.facts[0], nativeTrace(folder, question).facts[0]));
}

test('a GPU with WebGPU\'s default limits is enough', 120, async use => {
  const folder = join(FIXTURES, 'gemma3');
  await computesWithin(use, DEFAULTS, lab => lab.loadFolder(folder, 'gemma3'), folder, FRANCE);
});

test('where a binding holds less than the vocabulary, it is computed in pieces', 180, async use => {
  const small = { ...DEFAULTS, maxStorageBufferBindingSize: 2 ** 18, maxBufferSize: 2 ** 20 };
  const question = { ...DAVIS, maps: false, readings: ['last-token'] };
  const load = lab => lab.load({ from: 'bundled', name: 'engram-relay' });
  await computesWithin(use, small, load, join(BUNDLED, 'engram-relay'), question);
});

test('a GPU that was asked for and is not there is an error with advice', 60, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch({ webgpu: false }));
  const lab = await engine(browser, site);
  const failed = await (await lab.ask({ ask: 'start', device: 'gpu' })).failed();
  assert.equal(failed.kind, 'device');
  assert.ok(failed.hint, failed.message);
  assert.equal((await lab.start('cpu')).info.kind, 'cpu');
});

test('a GPU that is lost in the middle of work is told as such', 120, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch({ webgpu: true }));
  // What the graphics library logs about it.
  browser.allow(/device was lost|poison/i);
  const before = `
    const open = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...wanted) {
      const device = await open.apply(this, wanted);
      new BroadcastChannel('lose').onmessage = () => device.destroy();
      return device;
    };`;
  const lab = await engine(browser, site, { before });
  await lab.start('gpu');
  await lab.loadFolder(join(FIXTURES, 'gemma3'), 'gemma3');
  const call = await lab.ask({ ask: 'speak', prompt: FRANCE.prompt, tokens: 100 });
  await call.seen('begun');
  await lab.page.evaluate(() => new BroadcastChannel('lose').postMessage(0));
  // The request may fail a moment before the engine hears that the device is gone.
  assert.equal((await call.final()).kind, 'device');
  while (call.of('fatal').length === 0) await new Promise(done => setTimeout(done, 20));
  const [fatal] = call.of('fatal');
  assert.ok(fatal.kind === 'device' && fatal.message.includes('lost') && fatal.hint, fatal.message);
});
