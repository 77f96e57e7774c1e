// Models from the disk, as the page hands them to the worker.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { nativeTrace } from './lib/native.mjs';
import { BUNDLED, DIST, FIXTURES } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { engine } from './lib/worker.mjs';

test('the worker takes a folder with everything in it', 90, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch());
  const lab = await engine(browser, site);
  await lab.start('cpu');
  // All files of the folder, those that no model needs as well.
  for (const folder of [join(FIXTURES, 'llama'), join(BUNDLED, 'engram-qwen2')]) {
    const files = readdirSync(folder).map(name => join(folder, name));
    const loaded = await lab.load({ from: 'files', name: folder.split('/').at(-1) }, { files });
    const native = nativeTrace(folder, { prompt: 'The capital of France is', subject: 'France', target: 'Paris', maps: false });
    assert.deepEqual(loaded.info, native.model);
  }
});

test('a .gguf file needs nothing beside it', 90, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch());
  const lab = await engine(browser, site);
  await lab.start('cpu');
  const asked = { prompt: 'The capital of France is', subject: 'France', target: 'Paris', maps: false };
  for (const name of ['llama-tied', 'qwen2', 'gpt2', 'phi', 'gemma2']) {
    const file = join(FIXTURES, '..', 'gguf', `${name}.gguf`);
    const loaded = await lab.load({ from: 'files', name }, { files: [file] });
    // The digest of the tokenizer too: the same text is built here and there.
    assert.deepEqual(loaded.info, nativeTrace(file, asked).model);
  }
  // What cannot be built is refused, with what to do in a tab.
  const bytes = readFileSync(join(FIXTURES, '..', 'gguf', 'gpt2.gguf'));
  const folder = mkdtempSync(join(tmpdir(), 'engram-'));
  const foreign = join(folder, 'foreign.gguf');
  writeFileSync(foreign, Buffer.from(bytes.toString('latin1').replace('gpt-2', 'gpt-9'), 'latin1'));
  const failed = await (await lab.ask({ ask: 'load', model: { from: 'files', name: 'foreign' } }, { files: [foreign] })).failed();
  assert.match(failed.message, /gpt-9/);
  assert.match(failed.hint, /tokenizer\.json/);
  assert.doesNotMatch(failed.hint, /--/);
  rmSync(folder, { recursive: true });
});

test('the worker says which file is missing', 60, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch());
  const lab = await engine(browser, site);
  await lab.start('cpu');
  const folder = join(FIXTURES, 'qwen2');
  for (const missing of ['config.json', 'tokenizer.json', 'model.safetensors']) {
    const files = ['config.json', 'tokenizer.json', 'model.safetensors'].filter(name => name !== missing);
    const ask = { ask: 'load', model: { from: 'files', name: 'qwen2' } };
    const failed = await (await lab.ask(ask, { files: files.map(name => join(folder, name)) })).failed();
    assert.equal(failed.kind, 'input', failed.message);
    assert.ok(`${failed.message} ${failed.hint}`.includes(missing.split('.').at(-1)), `${missing}: ${JSON.stringify(failed)}`);
  }
});
