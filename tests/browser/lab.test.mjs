// The lab as a person uses it: a trace, its link, an edit and its undo, stopping, a model from the disk, a study.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { accessible } from './lib/axe.mjs';
import { drop, launch, shot, show, started } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { begin, DAVIS, device, fill, go, models, number, panel, question, recordOf, settings, traced, tracing, typing } from './lib/lab.mjs';
import { agree, nativeTrace } from './lib/native.mjs';
import { host } from './lib/host.mjs';
import { BUNDLED, FIXTURES } from './lib/paths.mjs';
import { SAMPLE } from './lib/result.mjs';
import { modelFiles } from './lib/worker.mjs';

test('a trace on the page has the native numbers, and its link asks again', 180, async use => {
  const { page, site } = await begin(use);
  await shot(page, 'trace-stored');
  await fill(page, DAVIS);
  await models(page).selectOption('engram-llama');
  await go(page).click();
  await traced(page);
  await shot(page, 'trace-live');
  await accessible(page, 'a trace');

  const record = await recordOf(page);
  const native = nativeTrace(join(BUNDLED, 'engram-llama'), { ...DAVIS, ...record.settings, maps: true });
  assert.deepEqual(native.settings.corruption, record.settings.corruption);
  console.log(agree(record.facts[0], native.facts[0]));

  // The cell that is looked at as a script: the map's own number, and the model as transformers finds it.
  const script = page.waitForEvent('download');
  await tracing(page).getByRole('button', { name: 'Download PyTorch check' }).click();
  const file = await script;
  const [, layer, token] = file.suggestedFilename().match(/^check-layer-(\d+)-token-(\d+)\.py$/).map(Number);
  const text = readFileSync(await file.path(), 'utf8');
  assert.match(text, /from_pretrained\(\s*"core\/bundled\/models\/engram-llama"/);
  const told = Number(text.match(/"put back": ([\d.e-]+)\}/)[1]);
  const maps = record.facts[0].maps;
  const map = /residual stream/.test(text) ? maps.residual : /attention outputs? of/.test(text) ? maps.attention : maps.mlp;
  assert.ok(Math.abs(told - map[token][layer - 1]) < 1e-5, `${told} in the script, ${map[token][layer - 1]} in the map`);

  // Another browser has nothing but the address.
  const wanted = await question(page);
  const url = await until('the question in the address', () => page.url().includes('prompt=') && page.url());
  const other = use(await launch());
  const again = await other.open(url);
  await started(again);
  assert.deepEqual(await question(again), wanted);
  assert.ok(url.startsWith(site.url));
  assert.equal(wanted.model, 'engram-llama');
});

test('the address brings tab, question, cell and position back', 60, async use => {
  const path = `?${new URLSearchParams({ ...{ prompt: DAVIS.prompt, subject: DAVIS.subject, target: 'trumpet', new: 'piano' },
    model: 'engram-phi', noise: '1', window: '5', map: 'mlp', row: '2', layer: '3', scale: 'root', reading: 'last-token' })}`;
  const { page } = await begin(use, { path });
  const asked = await question(page);
  assert.deepEqual(asked, { ...DAVIS, target_new: 'piano', model: 'engram-phi', noise: 'true' });
  // The page writes the address anew; nothing may get lost.
  await show(page, 'Models');
  await until('the tab in the address', () => page.url().includes('tab=models'));
  const [before, after] = [new URLSearchParams(path), new URL(page.url()).searchParams];
  for (const [name, value] of before) assert.equal(after.get(name), value, name);
  await page.reload();
  await started(page);
  assert.equal(await page.getByRole('tab', { name: 'Models' }).getAttribute('aria-selected'), 'true');
  await show(page, 'Trace');
  assert.deepEqual(await question(page), asked);
  await settings(page, async drawer => {
    assert.equal(await drawer.getByLabel('Restore at').inputValue(), 'last-token');
    assert.equal(await drawer.getByLabel(/^Window of the MLP/).inputValue(), '5');
    assert.equal(await drawer.getByRole('button', { name: '√' }).getAttribute('aria-pressed'), 'true');
  });
});

test('a trace on the page can be stopped', 120, async use => {
  const { page } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Trace');
  const screen = tracing(page);
  await models(page).selectOption('engram-llama-large');
  // A long prompt, and Stop pressed from within the page at once: on the computer a trace is over before a look from outside.
  await fill(page, { ...DAVIS, prompt: `${'After many years of work and study, and after all that he had seen, '.repeat(2)}${DAVIS.prompt}` });
  await page.evaluate(() => {
    const look = new MutationObserver(() => {
      const stop = [...document.querySelectorAll('button')].find(one => one.textContent.trim() === 'Stop');
      if (!stop) return;
      look.disconnect();
      window.stopped = true;
      stop.click();
    });
    look.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await go(page).click();
  await page.waitForFunction(() => window.stopped, null, { timeout: 60_000 });
  await go(page).waitFor({ timeout: 20_000 });
  assert.equal(await screen.getByText(/^Computed here:/).count(), 0, 'it has not come to its end');
  assert.equal(await page.getByRole('button', { name: 'Dismiss' }).count(), 0, 'a wish is no error');
});

test('a fact is rewritten on the page, and the edit is undone', 120, async use => {
  const { page } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Edit');
  const edit = panel(page, 'Edit');
  await shot(page, 'edit-stored');
  await edit.getByRole('button', { name: 'Edit the prompt' }).click();
  await edit.getByLabel('Prompt, up to where the answer follows').fill(DAVIS.prompt);
  await edit.getByLabel('Subject', { exact: true }).fill(DAVIS.subject);
  await edit.getByLabel('True answer').fill('trumpet');
  await edit.getByLabel('Counterfactual answer').fill('guitar');
  await models(page).selectOption('engram-llama');
  await edit.getByText('Method and search').click();
  await edit.getByLabel('Steps').fill('60');
  await edit.getByRole('button', { name: 'Edit it here' }).click();
  await edit.getByText('edited, 1 in force').waitFor({ timeout: 90_000 });
  // The edit is there at once, the map after it comes later; both maps say where it was made.
  await edit.getByText('Tracing…').waitFor({ state: 'detached', timeout: 60_000 });
  const maps = edit.getByRole('img', { name: /^Recovery of trumpet: .* where it was edited\.$/ });
  assert.equal(await maps.count(), 2, 'a map before and one after');
  await shot(page, 'edit-made');
  await accessible(page, 'an edit in force');
  await page.getByRole('contentinfo', { name: 'Status' }).getByText('1 edit in force').waitFor();
  const saved = page.waitForEvent('download');
  await edit.getByRole('button', { name: 'Download the change' }).click();
  const file = readFileSync(await (await saved).path());
  JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString());

  const zip = page.waitForEvent('download');
  await edit.getByRole('button', { name: 'As a LoRA adapter' }).click();
  const adapter = await zip;
  assert.equal(adapter.suggestedFilename(), 'engram-llama-adapter.zip');
  const packed = readFileSync(await adapter.path()).toString('latin1');
  assert.ok(packed.startsWith('PK'));
  for (const part of ['engram-llama-adapter/adapter_config.json', 'engram-llama-adapter/adapter_model.safetensors', '"peft_type"', 'lora_A.weight']) {
    assert.ok(packed.includes(part), part);
  }

  // Both answers, without the edit and with it: a table, and for each three maps on one scale.
  const both = edit.getByRole('region', { name: 'Both answers before and after the edit' }).first();
  await both.getByRole('button', { name: 'Trace both answers again' }).click();
  await both.getByRole('heading', { name: 'Effect on “guitar”' }).waitFor({ timeout: 90_000 });
  assert.deepEqual(await both.locator('thead th').allInnerTexts(), ['', 'trumpet before', 'trumpet after', 'guitar before', 'guitar after']);
  const clean = (await both.locator('tbody tr').first().locator('td').allInnerTexts()).map(number);
  assert.ok(clean[3] > clean[2], `the new answer is likelier after the edit: ${clean}`);
  assert.equal(await both.getByRole('grid').count(), 6, 'before, after, difference');
  await shot(page, 'edit-again');
  await accessible(page, 'both answers traced again');

  // All measures together, in words and not by colour alone.
  const finding = edit.getByRole('region', { name: 'Finding' });
  assert.match(await finding.getByRole('heading').innerText(), /^[✓✕–] (Held|Harm|Silenced|Partly|No change|Unchecked|One wording)/);
  const checks = edit.getByRole('list', { name: 'Checks of the edit' }).getByRole('listitem');
  assert.equal(await checks.count(), 5);
  assert.match(await checks.last().innerText(), /^Unrelated kept\s+[✓✕]/);
  await edit.getByText(/^\d+ \(model\.layers\.\d+\..*, 0-based\)$/).waitFor();
  assert.ok((await edit.locator('table.price tbody tr').count()) > 10, 'the price, prompt by prompt');

  // The form says that it asks the edited model; what stands there is of the other one and does not say so.
  await show(page, 'Trace');
  const screen = tracing(page);
  await screen.getByText(/1 edit is in force: what runs now asks the edited model/).waitFor();
  const edited = screen.getByText(/1 edit in force: this is a result of the edited model/);
  assert.equal(await edited.count(), 0, 'a stored result is not of the edited model');
  await go(page).click();
  await edited.waitFor({ timeout: 60_000 });
  await traced(page, 60);
  await accessible(page, 'a trace of the edited model');
  await screen.getByRole('button', { name: 'See the edits' }).click();
  assert.equal(await page.getByRole('tab', { name: 'Edit', exact: true }).getAttribute('aria-selected'), 'true');
  await edit.getByRole('button', { name: 'History' }).click();
  await edit.getByRole('heading', { name: '1 edit in force' }).waitFor();
  await edit.getByRole('button', { name: 'Undo edit 1' }).click();
  await edit.getByRole('heading', { name: 'No edit in force' }).waitFor();
  const past = edit.getByRole('list').filter({ hasText: 'Undone' });
  assert.match(await past.innerText(), /musician on the trumpet → guitar, layer \d+, engram-llama.*compared bit for bit/s);
  assert.equal(await edit.getByText('Nothing was edited yet').count(), 0);
  await page.keyboard.press('Escape');
  await finding.getByText(/Undone: it is no longer in the weights/).waitFor();
  await edit.getByText('bit for bit the same ✓').waitFor();
  assert.equal(await edit.locator('.is-stale').count(), 1, 'what it did is no longer so');
  await shot(page, 'edit-undone');
  await accessible(page, 'an edit undone');
  await show(page, 'Trace');
  await screen.getByText(/^⚠ Stale: the form now has another set of edits/).waitFor();
});

test('what no longer belongs to the form says so, and its link is of what is shown', 120, async use => {
  const { page, site } = await begin(use);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(site.url).origin });
  const screen = tracing(page);
  const shown = await question(page);
  const stale = screen.getByText(/^⚠ Stale: the form now has/);
  const link = async of => {
    await of.getByRole('button', { name: 'Copy link', exact: true }).click();
    await of.getByText('The link is on the clipboard.').first().waitFor();
    return new URL(await page.evaluate(() => navigator.clipboard.readText())).searchParams;
  };
  assert.equal(await stale.count(), 0);
  const { prompt, subject } = await typing(page);
  await prompt.fill('The capital of Peru is');
  await subject.fill('Peru');
  await screen.getByText(/^⚠ Stale: the form now has another prompt and another subject/).waitFor();
  assert.equal(await screen.locator('.is-stale').count(), 1, 'what is shown is dimmed');
  await screen.getByText('This prompt has not been run yet.').waitFor();
  await shot(page, 'trace-stale');
  await accessible(page, 'a stale result');
  const other = await link(screen);
  assert.deepEqual([other.get('prompt'), other.get('subject')], [shown.prompt, shown.subject], 'the link is of what is shown');
  await screen.getByRole('button', { name: 'Restore that prompt' }).click();
  await stale.waitFor({ state: 'detached' });
  assert.deepEqual(await question(page), shown, 'the form has its question again');
  assert.equal(await screen.locator('.is-stale').count(), 0);

  // How the subject is corrupted, and by what.
  await settings(page, async drawer => {
    await drawer.getByRole('button', { name: /^add noise/ }).click();
    await screen.getByText(/^⚠ Stale: the form now has another corruption\./).waitFor();
    await drawer.getByRole('button', { name: 'replace subject' }).click();
    await stale.waitFor({ state: 'detached' });
    await drawer.getByLabel('Replace the subject with').fill('Somebody Else');
    await screen.getByText(/^⚠ Stale: the form now has another replacement of the subject\./).waitFor();
    await drawer.getByLabel('Replace the subject with').fill('');
    await stale.waitFor({ state: 'detached' });
  });
  await models(page).selectOption('engram-phi');
  await screen.getByText(/^⚠ Stale: the form now has another model\./).waitFor();
  assert.equal((await link(screen)).get('model'), shown.model);
  await models(page).selectOption(shown.model);
  await stale.waitFor({ state: 'detached' });

  await show(page, 'Edit');
  const edit = panel(page, 'Edit');
  await edit.getByText(/^Stored result:/).waitFor();
  await edit.getByLabel('Layer', { exact: true }).selectOption('8');
  await edit.getByText(/^⚠ Stale: the form now has another layer\./).waitFor();
  const asked = await link(edit);
  // The layer that the stored edit was told to take, where it was told one; not the one of the form.
  const { settings: told } = JSON.parse(gunzipSync(readFileSync(SAMPLE)));
  const layer = told.edit.layer ? String(told.edit.layer) : null;
  assert.deepEqual([asked.get('tab'), asked.get('at'), asked.get('prompt')], ['edit', layer, shown.prompt]);
});

test('the layer that is looked at is the one that the Edit tab takes', 60, async use => {
  const { page } = await begin(use);
  const screen = tracing(page);
  const shown = await question(page);
  const button = screen.getByRole('button', { name: /^Edit at layer \d+…/ });
  const [, layer] = /(\d+)/.exec(await button.innerText());
  await button.click();
  const edit = panel(page, 'Edit');
  await edit.getByLabel('Layer', { exact: true }).waitFor();
  assert.equal(await edit.getByLabel('Layer', { exact: true }).inputValue(), layer);
  await edit.getByRole('button', { name: 'Edit the prompt' }).click();
  assert.equal(await edit.getByLabel('Prompt, up to where the answer follows').inputValue(), shown.prompt);
  assert.equal(await edit.getByLabel('True answer').inputValue(), shown.target);
});

// What a page brings, and what a browser lacks, is the tab's own.
const own = host() === 'tab' ? test : () => {};

for (const how of ['dropped', 'chosen']) {
  own(`a model's folder that is ${how} is loaded`, 90, async use => {
    const { page } = await begin(use, { options: { context: { permissions: ['clipboard-read', 'clipboard-write'] } } });
    const folder = join(FIXTURES, 'llama');
    if (how === 'dropped') {
      await drop(page, modelFiles(folder).map(path => [basename(path), readFileSync(path)]));
    } else {
      await show(page, 'Models');
      await page.getByLabel('Choose a folder…').setInputFiles(folder);
    }
    const tab = panel(page, 'Models');
    await tab.getByText(/54510 parameters/).waitFor({ timeout: 60_000 });
    await shot(page, `models-${how}`);
    await accessible(page, 'a model from the disk');
    const digest = nativeTrace(folder, { prompt: 'The capital of France is', subject: 'France', target: 'Paris', maps: false });
    // Its beginning is shown, the whole is a tooltip and what is copied.
    const whole = digest.model.weights_sha256;
    await tab.locator(`code[title="${whole}"]`, { hasText: `${whole.slice(0, 12)}…` }).first().waitFor({ timeout: 5000 });
    await tab.locator(`[data-copy="${whole}"]`).first().click();
    await tab.getByText('Copied', { exact: true }).waitFor({ timeout: 5000 });
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), whole);
  });
}

own('without WebGPU the page says so and computes all the same', 120, async use => {
  const { page } = await begin(use, { options: { webgpu: false } });
  await fill(page, DAVIS);
  await models(page).selectOption('engram-llama');
  await go(page).click();
  await traced(page, 110);
  // A line in the status bar, and the whole of it where the device is.
  const status = page.getByRole('contentinfo', { name: 'Status' });
  await status.getByText('no WebGPU here: same numbers, slower').waitFor();
  await shot(page, 'no-webgpu');
  await accessible(page, 'without WebGPU');
  await status.getByRole('button', { name: 'What helps' }).click();
  await panel(page, 'Models').getByText(/found no graphics adapter/).first().waitFor();
  await shot(page, 'no-webgpu-models');
  await accessible(page, 'what helps without WebGPU');
});

test('the subject is where it was selected, and the Models tab tells how the files were understood', 180, async use => {
  const { page } = await begin(use);
  const screen = tracing(page);
  const text = 'The Parisian paper of Paris is';
  const { prompt, subject } = await typing(page);
  await prompt.fill(text);
  const choose = async (start, end) => {
    await prompt.evaluate((field, [start, end]) => field.setSelectionRange(start, end), [start, end]);
    await screen.getByRole('button', { name: 'Use selection as subject' }).click();
  };
  await choose(22, 27);
  assert.equal(await prompt.inputValue(), text, 'the first whole word is found by itself');
  await choose(4, 9);
  assert.deepEqual([await prompt.inputValue(), await subject.inputValue()], ['The {}ian paper of Paris is', 'Paris']);
  await prompt.fill(text.replace(' Paris ', ' {} '));
  await models(page).selectOption('engram-llama');
  await device(page, 'CPU');
  await show(page, 'Trace');
  await go(page).click();
  await traced(page);
  const [fact] = (await recordOf(page)).facts;
  assert.equal(fact.prompt, text);
  const [begins, ends] = fact.subject_span;
  assert.equal(fact.tokens.slice(begins, ends).join('').trim(), 'Paris');
  assert.ok(fact.tokens.slice(0, begins).join('').includes('Parisian'), 'the second place');

  await show(page, 'Models');
  const understood = page.locator('#understood');
  await understood.getByText('llama', { exact: true }).waitFor();
  const told = await understood.innerText();
  for (const part of ['RoPE', 'θ = ', 'output head', 'BOS and EOS', 'windows', 'biases']) assert.ok(told.includes(part), `${part}: ${told}`);
  await shot(page, 'models-understood');
});
