// The lab as a person uses it: a trace, its link, an edit and its undo, stopping, a model from the disk, a study.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { accessible } from './lib/axe.mjs';
import { drop, launch, shot, show, started } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { agree, nativeTrace } from './lib/native.mjs';
import { BUNDLED, DIST, FIXTURES } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';
import { modelFiles } from './lib/worker.mjs';

/** A question that no stored result answers. */
const DAVIS = {
  prompt: 'Miles Davis performed as a musician on the',
  subject: 'Miles Davis',
  target: 'trumpet',
  target_new: 'guitar',
};

async function begin(use, { path = '', options = {} } = {}) {
  const site = use(await serve(DIST));
  const browser = use(await launch(options));
  const page = await browser.open(site.url + path);
  await started(page);
  return { site, browser, page, panel: name => page.getByRole('tabpanel', { name, exact: true }) };
}

/** The page computes where this says, whatever the machine has. */
async function device(page, name) {
  await show(page, 'Models');
  await page.getByRole('group', { name: 'Which device' }).getByRole('button', { name, exact: true }).click();
}

async function fill(panel, { prompt, subject, target, target_new }) {
  await panel.getByLabel('Prompt', { exact: true }).fill(prompt);
  await panel.getByLabel(/^Subject, as/).fill(subject);
  await panel.getByLabel('True answer').fill(target);
  await panel.getByLabel('Counter-answer').fill(target_new);
}

/** What the form says. */
async function question(panel) {
  const value = label => panel.getByLabel(label).inputValue();
  return {
    prompt: await panel.getByLabel('Prompt', { exact: true }).inputValue(),
    subject: await value(/^Subject, as/),
    target: await value('True answer'),
    target_new: await value('Counter-answer'),
    model: await value('Model'),
    noise: await panel.getByRole('button', { name: /^noise/ }).getAttribute('aria-pressed'),
  };
}

test('a trace on the page has the native numbers, and its link asks again', 180, async use => {
  const { page, panel, site } = await begin(use);
  const explore = panel('Explore');
  await shot(page, 'explore-stored');
  await fill(explore, DAVIS);
  await explore.getByLabel('Model').selectOption('engram-llama');
  await explore.getByRole('button', { name: /^Run it here/ }).click();
  await explore.getByText('computed here').waitFor({ timeout: 120_000 });
  await until('the trace is whole', async () => (await explore.getByRole('button', { name: 'Cancel' }).count()) === 0, 120);
  await shot(page, 'explore-traced');
  await accessible(page, 'a trace');

  const saved = page.waitForEvent('download');
  await explore.getByRole('button', { name: 'Save record' }).click();
  const record = JSON.parse(readFileSync(await (await saved).path(), 'utf8'));
  const native = nativeTrace(join(BUNDLED, 'engram-llama'), { ...DAVIS, ...record.settings });
  console.log(agree(record.facts[0], native.facts[0]));

  // Another browser has nothing but the address.
  const wanted = await question(explore);
  const url = await until('the question in the address', () => page.url().includes('prompt=') && page.url());
  const other = use(await launch());
  const again = await other.open(url);
  await started(again);
  assert.deepEqual(await question(again.getByRole('tabpanel', { name: 'Explore' })), wanted);
  assert.ok(url.startsWith(site.url));
  assert.equal(wanted.model, 'engram-llama');
});

test('the address brings tab, question, layer and reading back', 60, async use => {
  const path = `?${new URLSearchParams({ ...{ prompt: DAVIS.prompt, subject: DAVIS.subject, target: 'trumpet', new: 'piano' },
    model: 'engram-phi', noise: '1', layer: '3', reading: 'last-token' })}`;
  const { page, panel } = await begin(use, { path });
  const asked = await question(panel('Explore'));
  assert.deepEqual(asked, { ...DAVIS, target_new: 'piano', model: 'engram-phi', noise: 'true' });
  // The page writes the address anew; nothing may get lost.
  await show(page, 'Models');
  await until('the tab in the address', () => page.url().includes('tab=models'));
  const [before, after] = [new URLSearchParams(path), new URL(page.url()).searchParams];
  for (const [name, value] of before) assert.equal(after.get(name), value, name);
  await page.reload();
  await started(page);
  assert.equal(await page.getByRole('tab', { name: 'Models' }).getAttribute('aria-selected'), 'true');
  await show(page, 'Explore');
  assert.deepEqual(await question(panel('Explore')), asked);
});

test('a trace on the page can be stopped', 120, async use => {
  const { page, panel } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Explore');
  const explore = panel('Explore');
  await fill(explore, DAVIS);
  await explore.getByLabel('Model').selectOption('engram-llama-large');
  await explore.getByRole('button', { name: /^Run it here/ }).click();
  await explore.getByRole('button', { name: 'Cancel' }).click({ timeout: 60_000 });
  await explore.getByRole('button', { name: /^Run it here/ }).waitFor({ timeout: 20_000 });
  assert.equal(await page.getByRole('button', { name: 'Dismiss' }).count(), 0, 'a wish is no error');
});

test('a fact is rewritten on the page, and the edit is taken back', 120, async use => {
  const { page, panel } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Edit');
  const edit = panel('Edit');
  await shot(page, 'edit-stored');
  await edit.getByLabel('Prompt', { exact: true }).fill(DAVIS.prompt);
  await edit.getByLabel(/^Subject, as/).fill(DAVIS.subject);
  await edit.getByLabel('Present answer').fill('trumpet');
  await edit.getByLabel('New answer').fill('guitar');
  await edit.getByText('Settings of the search').click();
  await edit.getByLabel('Steps').fill('60');
  await edit.getByRole('button', { name: /^Edit it here/ }).click();
  await edit.getByRole('heading', { name: '1 edit in force' }).waitFor({ timeout: 90_000 });
  await shot(page, 'edit-made');
  await accessible(page, 'an edit in force');
  await page.getByRole('contentinfo', { name: 'Status' }).getByText('1 edit in force').waitFor();
  const saved = page.waitForEvent('download');
  await edit.getByRole('button', { name: 'Download the change' }).click();
  const file = readFileSync(await (await saved).path());
  JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString());

  // All measures together, in words and not by colour alone.
  const did = edit.locator('section', { has: page.getByRole('heading', { name: 'What it did' }) });
  await did.locator('.actions .badge').getByText(/rewritten|silenced/).waitFor();
  assert.match(await did.locator('.checks').innerText(), /unrelated facts? (is|are) unharmed/);
  await did.getByText(/^model\.layers\.\d+\..*\(layer \d+ = model\.layers\.\d+\)$/).waitFor();

  // The form says that it asks the edited model; what stands there is of the other one and does not say so.
  await show(page, 'Explore');
  const explore = panel('Explore');
  await explore.getByText(/1 edit is in force: what runs now asks the edited model/).waitFor();
  assert.equal(await explore.getByText(/active/).count(), 0, 'a stored result is not of the edited model');
  await explore.getByRole('button', { name: /^Run it here/ }).click();
  await explore.getByText(/1 edit active: this is a result of the edited model/).waitFor({ timeout: 60_000 });
  await explore.getByRole('button', { name: /^Run it here/ }).waitFor({ timeout: 60_000 });
  await show(page, 'Edit');
  await edit.getByRole('button', { name: 'Take back edit 1' }).click();
  await edit.getByRole('heading', { name: '1 edit in force' }).waitFor({ state: 'detached' });
  const past = edit.getByRole('list').filter({ hasText: 'Taken back' });
  assert.match(await past.innerText(), /musician on the trumpet → guitar, layer \d+, engram-llama.*compared bit for bit/s);
  assert.equal(await edit.getByText('Nothing was edited yet').count(), 0);
  await did.getByText(/Taken back: it is no longer in the weights/).waitFor();
  assert.equal(await did.getAttribute('class'), 'dimmed', 'what it did is no longer so');
  await shot(page, 'edit-undone');
  await accessible(page, 'an edit taken back');
  await show(page, 'Explore');
  await explore.getByText(/^Stale: the form now has another set of edits/).waitFor();
});

test('what no longer belongs to the form says so, and its link is of what is shown', 120, async use => {
  const { page, panel, site } = await begin(use);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(site.url).origin });
  const explore = panel('Explore');
  const shown = await question(explore);
  const stale = explore.getByText(/^Stale: the form now has/);
  const link = async of => {
    await of.getByRole('button', { name: 'Copy link', exact: true }).click();
    await of.getByText('The link is on the clipboard.').first().waitFor();
    return new URL(await page.evaluate(() => navigator.clipboard.readText())).searchParams;
  };
  assert.equal(await stale.count(), 0);
  const [prompt, subject] = [explore.getByLabel('Prompt', { exact: true }), explore.getByLabel(/^Subject, as/)];
  await prompt.fill('The capital of Peru is');
  await subject.fill('Peru');
  await explore.getByText(/^Stale: the form now has another prompt and another subject/).waitFor();
  assert.equal(await explore.locator('.dimmed').count(), 2, 'finding and layers are dimmed');
  await shot(page, 'explore-stale');
  await accessible(page, 'a stale result');
  const other = await link(explore);
  assert.deepEqual([other.get('prompt'), other.get('subject')], [shown.prompt, shown.subject], 'the link is of what is shown');
  await prompt.fill(shown.prompt);
  await subject.fill(shown.subject);
  await explore.getByLabel('True answer').fill(shown.target);
  await explore.getByLabel('Counter-answer').fill(shown.target_new);
  await stale.waitFor({ state: 'detached' });
  await explore.getByLabel('Model').selectOption('engram-phi');
  await explore.getByText(/^Stale: the form now has another model\./).waitFor();
  assert.equal((await link(explore)).get('model'), 'engram-llama');
  await explore.getByLabel('Model').selectOption('engram-llama');
  await stale.waitFor({ state: 'detached' });

  await show(page, 'Edit');
  const edit = panel('Edit');
  await edit.getByText('stored result').waitFor();
  await edit.getByLabel('Layer').selectOption('8');
  await edit.getByText(/^Stale: the form now has another layer\./).waitFor();
  const asked = await link(edit);
  assert.deepEqual([asked.get('tab'), asked.get('at'), asked.get('prompt')], ['edit', null, shown.prompt]);
});

for (const how of ['dropped', 'chosen']) {
  test(`a model's folder that is ${how} is loaded`, 90, async use => {
    const { page, panel } = await begin(use);
    const folder = join(FIXTURES, 'llama');
    if (how === 'dropped') {
      await drop(page, modelFiles(folder).map(path => [basename(path), readFileSync(path)]));
    } else {
      await show(page, 'Models');
      await page.getByLabel('Choose a folder…').setInputFiles(folder);
    }
    const models = panel('Models');
    await models.getByText(/54510 parameters/).waitFor({ timeout: 60_000 });
    await shot(page, `models-${how}`);
    await accessible(page, 'a model from the disk');
    const digest = nativeTrace(folder, { prompt: 'The capital of France is', subject: 'France', target: 'Paris', maps: false });
    assert.ok((await models.innerText()).includes(digest.model.weights_sha256), 'its digest is shown');
  });
}

test('without WebGPU the page says so and computes all the same', 120, async use => {
  const { page, panel } = await begin(use, { options: { webgpu: false } });
  const explore = panel('Explore');
  await fill(explore, DAVIS);
  await explore.getByLabel('Model').selectOption('engram-llama');
  await explore.getByRole('button', { name: /^Run it here/ }).click();
  await page.getByText(/found no graphics adapter/).first().waitFor({ timeout: 60_000 });
  await explore.getByText('computed here').waitFor({ timeout: 100_000 });
  await shot(page, 'no-webgpu');
  await accessible(page, 'without WebGPU');
});

test('the subject is where it was selected, and the Models tab tells how the files were understood', 180, async use => {
  const { page, panel } = await begin(use);
  const explore = panel('Explore');
  const prompt = explore.getByLabel('Prompt', { exact: true });
  const text = 'The Parisian paper of Paris is';
  await prompt.fill(text);
  const choose = async (start, end) => {
    await prompt.evaluate((area, [start, end]) => area.setSelectionRange(start, end), [start, end]);
    await explore.getByRole('button', { name: 'Use selection as subject' }).click();
  };
  await choose(22, 27);
  assert.equal((await question(explore)).prompt, text, 'the first whole word is found by itself');
  await choose(4, 9);
  assert.deepEqual(
    [(await question(explore)).prompt, (await question(explore)).subject],
    ['The {}ian paper of Paris is', 'Paris'],
  );
  await prompt.fill(text.replace(' Paris ', ' {} '));
  await explore.getByLabel('Model').selectOption('engram-llama');
  await device(page, 'CPU');
  await show(page, 'Explore');
  await explore.getByRole('button', { name: /^Run it here/ }).click();
  await explore.getByText('computed here').waitFor({ timeout: 120_000 });
  await until('the trace is whole', async () => (await explore.getByRole('button', { name: 'Cancel' }).count()) === 0, 120);
  const saved = page.waitForEvent('download');
  await explore.getByRole('button', { name: 'Save record' }).click();
  const record = JSON.parse(readFileSync(await (await saved).path(), 'utf8'));
  const [fact] = record.facts;
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
