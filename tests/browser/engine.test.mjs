// The engine behind the page against the native program: in the worker with WebGPU on a software adapter and the CPU in WebAssembly, and
// over a socket.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { same, test } from './lib/check.mjs';
import { agree, nativeTrace } from './lib/native.mjs';
import { host, served } from './lib/host.mjs';
import { BUNDLED, FIXTURES } from './lib/paths.mjs';
import { engine, traceAsk } from './lib/worker.mjs';

/** A question that the random fixtures answer with probabilities all over the place. */
const FRANCE = { prompt: 'The capital of France is', subject: 'France', target: 'Paris', target_new: 'Rome' };
/** One that the bundled models know. */
const DAVIS = {
  prompt: 'Miles Davis performed as a musician on the',
  subject: 'Miles Davis',
  target: 'trumpet',
  target_new: 'guitar',
};

async function begin(use, device) {
  // Not at the server's root: the worker finds its own files and the bundled ones beside it.
  const site = await served(use, { models: FIXTURES, options: { at: '/some/where/' } });
  const browser = use(await launch());
  const lab = await engine(browser, site);
  return { lab, report: await lab.start(device) };
}

/** What came on the way is what the record says at the end. */
function onTheWay(call, fact) {
  const traced = call.of('traced')[0].facts[0];
  for (const name of ['p_clean', 'p_corrupt', 'p_false', 'patched', 'without_block', 'without_attention', 'without_mlp']) {
    same(traced[name], fact[name], 0, `${name} on the way and at the end`);
  }
  for (const site of ['residual', 'mlp', 'attention']) {
    const rows = call.of('map-row').filter(row => row.site === site);
    assert.equal(rows.length, fact.maps[site].length, `rows of the ${site} map on the way`);
    for (const { position, values } of rows) same(values, fact.maps[site][position].map(Math.fround), 0, `${site} row ${position}`);
  }
  for (const { reading, curve } of call.of('redundancy')) same(curve, fact.redundancy[reading], 0, reading);
}

// The software adapter is slow, and compiling shaders is most of it: one device for both models.
const worker = host() === 'tab' ? test : () => {};

worker('traces on WebGPU have the native numbers', 300, async use => {
  const { lab, report } = await begin(use, 'gpu');
  assert.equal(report.info.kind, 'gpu', report.why);
  assert.ok(report.adapter, 'the adapter is told');
  assert.ok(report.self_test <= 1e-3, `self-test: ${report.self_test}`);
  await lab.loadFolder(join(FIXTURES, 'llama'), 'llama');
  const call = await lab.ask(traceAsk(FRANCE));
  const { record, cost } = await call.last('trace');
  const native = nativeTrace(join(FIXTURES, 'llama'), FRANCE);
  console.log(`llama: ${agree(record.facts[0], native.facts[0])}, ${cost.seconds.toFixed(1)} s`);
  onTheWay(call, record.facts[0]);
  assert.equal(record.device.kind, 'gpu');

  await lab.load({ from: 'bundled', name: 'engram-llama' });
  const question = { ...DAVIS, maps: false };
  const bundled = await lab.trace(question);
  const wanted = nativeTrace(join(BUNDLED, 'engram-llama'), question);
  console.log(`engram-llama: ${agree(bundled.record.facts[0], wanted.facts[0])}, ${bundled.cost.seconds.toFixed(1)} s`);
});

test('traces on the CPU have the native numbers, family by family', 240, async use => {
  const { lab, report } = await begin(use, 'cpu');
  assert.equal(report.info.kind, 'cpu', report.why);
  for (const name of ['engram-llama', 'engram-gemma2', 'engram-phi']) {
    const loaded = await lab.load({ from: 'bundled', name });
    const call = await lab.ask(traceAsk(DAVIS));
    const { record, cost } = await call.last('trace');
    const native = nativeTrace(join(BUNDLED, name), DAVIS);
    console.log(`${name}: ${agree(record.facts[0], native.facts[0])}, ${cost.seconds.toFixed(1)} s`);
    onTheWay(call, record.facts[0]);
    same(record.model, native.model, 0, 'identity of the model');
    same(loaded.info, native.model, 0, 'identity of the loaded model');
  }
  for (const name of ['qwen2', 'gpt2', 'gemma3']) {
    await lab.loadFolder(join(FIXTURES, name), name);
    const { record } = await lab.trace(FRANCE);
    console.log(`${name}: ${agree(record.facts[0], nativeTrace(join(FIXTURES, name), FRANCE).facts[0])}`);
  }
});
