// Models from the disk, as the page hands them to the worker.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
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
