// Work of the engine behind the page: an edit and its undo, stopping a request, a study that is cut off and goes on.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { apart, numbers, same, test } from './lib/check.mjs';
import { nativeEdit, nativeTrace, WITHIN } from './lib/native.mjs';
import { host, served } from './lib/host.mjs';
import { BUNDLED, FIXTURES } from './lib/paths.mjs';
import { engine, traceAsk } from './lib/worker.mjs';

const DAVIS = {
  prompt: 'Miles Davis performed as a musician on the',
  subject: 'Miles Davis',
  target: 'trumpet',
  target_new: 'guitar',
};

/** An edit's method. */
const spsa = steps => ({ kind: 'spsa', steps, epsilon: 5e-3, eta: 5.0 });
/** Facts of the study: enough for a reload in the middle of it. */
const WANTED = host() === 'tab' ? 24 : 80;

async function begin(use, name) {
  const site = await served(use);
  const browser = use(await launch());
  const lab = await engine(browser, site);
  await lab.start('cpu');
  await lab.load({ from: 'bundled', name });
  return lab;
}

test('an edit changes the model, and its undo changes it back', 180, async use => {
  const lab = await begin(use, 'engram-llama');
  const plain = { ...DAVIS, maps: false };
  const before = (await lab.trace(plain)).record.facts[0];
  const ask = { ask: 'edit', ...DAVIS, layer: null, method: spsa(60), seed: 42 };
  const call = await lab.ask(ask);
  const edited = await call.last('edited');
  assert.equal(edited.edit, 1);
  assert.ok(call.of('loss').length > 0, 'losses come on the way');
  const { record } = edited;
  assert.ok(Math.abs(record.p_true - before.p_clean) <= WITHIN && Math.abs(record.p_false - before.p_false) <= WITHIN);
  assert.ok(record.p_false_after > record.p_false, `p(guitar) from ${record.p_false} to ${record.p_false_after}`);
  assert.equal(record.loss.length, 61);

  const during = (await lab.trace(plain)).record.facts[0];
  assert.ok(Math.abs(during.p_clean - record.p_true_after) <= WITHIN, 'a trace sees the edited model');
  assert.ok(apart(during.patched, before.patched) > 1e-3, 'the edit moves what is traced');

  const delta = await (await lab.ask({ ask: 'delta' })).last('file');
  const header = JSON.parse(delta.bytes.subarray(8, 8 + Number(delta.bytes.readBigUInt64LE(0))).toString());
  assert.ok(Object.keys(header).some(name => name.startsWith(edited.tensor)), `${edited.tensor} is in ${delta.name}`);

  // Another one on top; taking back the first alone leaves it.
  await (await lab.ask({ ...ask, target_new: 'piano', layer: 2, method: spsa(20) })).last('edited');
  const one = await (await lab.ask({ ask: 'undo', edit: 1 })).last('undone');
  same(one.left, [2], 0, 'edits in force');
  const all = await (await lab.ask({ ask: 'undo', edit: null })).last('undone');
  same(all, { news: 'undone', left: [], restored: true }, 0, 'after the undo');
  same((await lab.trace(plain)).record.facts[0], before, 0, 'a trace after the undo');
});

/** R-ROME with its usual settings; a software GPU takes minutes for them, so there a few steps, with C = I. */
const ROME = { kind: 'rome', key: 'averaged', lr: 0.5, decay: 0.5, kl: 0.0625, clamp: 4, stop: 0.05 };
const SEARCHES = {
  cpu: [{ ...ROME, covariance: true, steps: 20 }, ['--method', 'r-rome']],
  gpu: [{ ...ROME, covariance: false, steps: 3 }, ['--method', 'r-rome', '--c', 'identity', '--steps', '3']],
};

// The computer's device is its owner's choice.
const searches = Object.entries(SEARCHES).filter(([device]) => device === 'cpu' || host() === 'tab');
for (const [device, [rome, options]] of searches) {
  test(`an edit by gradients is the native program's (${device})`, 300, async use => {
    const site = await served(use);
    const lab = await engine(use(await launch()), site);
    const { info } = await lab.start(device);
    await lab.load({ from: 'bundled', name: 'engram-qwen2' });
    const fact = { ...DAVIS, layer: 1 };
    const call = await lab.ask({ ask: 'edit', ...fact, method: rome, seed: 42 });
    const { record } = await call.last('edited');
    // The computer may have kept C from an earlier edit of this model.
    if (host() === 'tab') assert.equal(call.of('progress').length > 0, rome.covariance, 'the text for C is read where it is needed');
    const native = nativeEdit('engram-qwen2', fact, options);
    // Contexts are drawn on each device; where one token is drawn otherwise, the whole search is another one.
    const { unrelated, ...rest } = record;
    const { unrelated: known, ...want } = native;
    same(rest, want, WITHIN, `an edit on ${info.kind} and natively`);
    assert.ok(record.p_false_after > (device === 'cpu' ? 0.5 : record.p_false), `p(guitar) is ${record.p_false_after}`);
    const undone = await (await lab.ask({ ask: 'undo', edit: null })).last('undone');
    same(undone, { news: 'undone', left: [], restored: true }, 0, 'after the undo');
    if (device === 'cpu') {
      await lab.reload();
      await lab.start(device);
      await lab.load({ from: 'bundled', name: 'engram-qwen2' });
      const again = await lab.ask({ ask: 'edit', ...fact, method: rome, seed: 42 });
      same((await again.last('edited')).record, record, 0, 'the same edit after a reload');
      assert.equal(again.of('progress').length, 0, 'C was kept');
    }
    return `${info.kind}: ${numbers(want).length} numbers, at most ${apart(rest, want).toExponential(1)} apart`;
  });
}

/** The kept studies, once this one does not run. */
async function idle(lab, key) {
  for (;;) {
    const listed = await (await lab.ask({ ask: 'studies' })).last('studies');
    if (!listed.studies.some(study => study.key === key && study.running)) return listed;
  }
}

/** The settings that each method has on the command line, and what a device rounds otherwise over its steps. */
const OTHERS = {
  'ft-m': [{ kind: 'ft-m', steps: 25, lr: 5e-4, stop: 0.01 }, WITHIN],
  lora: [{ kind: 'lora', rank: 8, alpha: 32, steps: 70, lr: 3e-4, stop: 0.01 }, WITHIN],
  ultraedit: [{ kind: 'ultra-edit', lr: 0 }, WITHIN],
};

test('fine-tuning and UltraEdit are the native program\'s', 120, async use => {
  const lab = await begin(use, 'engram-qwen2');
  const fact = { ...DAVIS, layer: 1 };
  const told = [];
  for (const [name, [method, within]] of Object.entries(OTHERS)) {
    const { unrelated, ...rest } = (await (await lab.ask({ ask: 'edit', ...fact, method, seed: 42 })).last('edited')).record;
    const { unrelated: known, ...want } = nativeEdit('engram-qwen2', fact, ['--method', name]);
    same(rest, want, within, `an edit by ${name}`);
    await (await lab.ask({ ask: 'undo', edit: null })).last('undone');
    told.push(`${name} ${apart(rest, want).toExponential(1)}`);
  }
  return told.join(', ');
});

test('a request stops when asked to, and the next one is served', 120, async use => {
  const lab = await begin(use, 'engram-llama-large');
  // So many steps that no machine is through with them before it hears that it shall stop.
  const call = await lab.ask({ ask: 'edit', ...DAVIS, layer: 1, method: spsa(100_000), seed: 42 });
  const waiting = await lab.ask(traceAsk(DAVIS));
  await call.seen('loss');
  const asked = Date.now();
  await lab.cancel(call);
  await lab.cancel(waiting);
  const failed = await call.failed();
  const took = Date.now() - asked;
  assert.equal(failed.kind, 'cancelled');
  assert.equal((await waiting.failed()).kind, 'cancelled');
  assert.ok(took < 2000, `stopped after ${took} ms`);
  assert.ok(call.of('edited').length === 0);
  const plain = { ...DAVIS, maps: false };
  const { record } = await lab.trace(plain);
  const native = nativeTrace(join(BUNDLED, 'engram-llama-large'), plain);
  same(record.facts[0].patched, native.facts[0].patched, WITHIN, 'a trace after the stop');
});

test('a study that a reload cuts off goes on where it was', 300, async use => {
  const { settings } = nativeTrace(join(BUNDLED, 'engram-llama'), { ...DAVIS, maps: false });
  const wanted = {
    ...settings,
    n: WANTED,
    stages: [1, 2, 3],
    maps: 0,
    edit: { facts: 2, unrelated: 3, method: spsa(12) },
  };
  const ask = { ask: 'study', facts: null, settings: wanted };
  const whole = await begin(use, 'engram-llama');
  const uncut = (await (await whole.ask(ask)).last('study')).record;
  assert.ok(uncut.edits.length > 0 && numbers(uncut).length > 300, 'the study has something to compare');

  const lab = await begin(use, 'engram-llama');
  const call = await lab.ask(ask);
  const { key } = await call.seen('study-header');
  await call.until(call => call.of('fact').filter(fact => fact.outcome === 'validated')[1], 'second validated fact');
  await lab.reload();

  await lab.start('cpu');
  // On the computer it goes on without its page, until somebody pauses it.
  if (host() === 'computer') assert.equal((await lab.pause(key)).studies.find(study => study.key === key).finished, false);
  const { studies } = await idle(lab, key);
  const [saved] = studies;
  assert.equal(studies.length, 1);
  assert.equal(saved.key, key);
  assert.equal(saved.finished, false);
  assert.ok(saved.validated >= 1 && saved.validated < WANTED, `${saved.validated} facts survived`);
  assert.equal((await (await lab.ask({ ask: 'open-study', key })).last('study')).finished, false);

  await lab.load(saved.model);
  const again = await lab.ask({ ...ask, key });
  const header = await again.seen('study-header');
  const kept = header.record.facts.filter(fact => fact.outcome === 'validated').length;
  assert.ok(kept >= saved.validated, `it goes on with ${kept} validated facts`);
  const { record, finished } = await again.last('study');
  assert.equal(finished, true);
  const fresh = again.of('fact').filter(fact => fact.outcome === 'validated').length;
  assert.equal(kept + fresh, WANTED, 'no fact is computed twice');
  same(record, uncut, 0, 'cut off and whole');

  const dropped = await (await lab.ask({ ask: 'drop-study', key })).last('studies');
  assert.equal(dropped.studies.length, 0);
});

test('facts of every format are read in the tab', 180, async use => {
  const { settings } = nativeTrace(join(BUNDLED, 'engram-llama'), { ...DAVIS, maps: false });
  const lab = await begin(use, 'engram-llama');
  const folder = join(FIXTURES, '..', 'facts');
  const wanted = { ...settings, n: 1, stages: [1], maps: 0 };
  // The same facts, flat; and CounterFact's nested ones.
  const seen = {};
  for (const name of ['flat.json', 'flat.jsonl', 'flat.csv', 'flat.parquet', 'flat-zstd.parquet', 'nested.jsonl', 'nested.parquet']) {
    const call = await lab.ask({ ask: 'study', facts: name, settings: wanted }, { bytes: readFileSync(join(folder, name)) });
    const { record } = await call.last('study');
    assert.equal(record.source.name, name);
    assert.ok(record.source.count > 1, name);
    const kind = name.split(/[-.]/)[0];
    seen[kind] ??= record.facts;
    assert.deepEqual(record.facts, seen[kind], name);
    await (await lab.ask({ ask: 'drop-study', key: (await call.seen('study-header')).key })).last('studies');
  }
  const failed = await (await lab.ask(
    { ask: 'study', facts: 'facts.xlsx', settings: wanted },
    { bytes: readFileSync(join(FIXTURES, 'qwen2', 'model.safetensors')) },
  )).failed();
  assert.match(failed.message, /safetensors/);
});
