// The trace screen as a person uses it: its prompt, its drawer of settings, its map.

import { readFileSync } from 'node:fs';
import { launch, show, started } from './browser.mjs';
import { until } from './check.mjs';
import { host, served, visit } from './host.mjs';

/** A question that no stored result answers. */
export const DAVIS = {
  prompt: 'Miles Davis performed as a musician on the',
  subject: 'Miles Davis',
  target: 'trumpet',
  target_new: 'guitar',
};

/** The lab in a browser of its own. */
export async function begin(use, { path = '', options = {} } = {}) {
  const site = await served(use);
  const browser = use(await launch(options));
  const page = await visit(browser, site, path);
  await started(page);
  return { site, browser, page };
}

/** A tab's panel. */
export const panel = (page, name) => page.getByRole('tabpanel', { name, exact: true });
/** The trace screen. */
export const tracing = page => panel(page, 'Trace');
/** The model's list in the bar above all screens. */
export const models = page => page.getByRole('banner').getByLabel('Model', { exact: true });
/** The inspector: the cell that is looked at. */
export const inspector = page => tracing(page).getByRole('complementary', { name: 'Selected cell' });
/** The map. */
export const map = page => tracing(page).getByRole('grid', { name: 'Recovery by token and layer' });
/** The prompt's tokens, as buttons. */
export const tokens = page => tracing(page).locator('.prompt-tokens [data-token]');

/** The page computes where this says, whatever the machine has. */
export async function device(page, name) {
  // The computer's is its owner's choice.
  if (host() === 'computer') return;
  await show(page, 'Models');
  await page.getByRole('group', { name: 'Which device' }).getByRole('button', { name, exact: true }).click();
}

/** The drawer of settings, for as long as `work` takes; gives what it gives. */
export async function settings(page, work) {
  const drawer = tracing(page).getByRole('complementary', { name: 'Settings' });
  await tracing(page).getByRole('button', { name: 'Settings', exact: true }).click();
  const made = await work(drawer);
  await drawer.getByRole('button', { name: 'Close the settings' }).click();
  await drawer.waitFor({ state: 'detached' });
  return made;
}

/** The fields of the prompt and its subject, which are hidden behind the tokens. */
export async function typing(page) {
  const screen = tracing(page);
  const prompt = screen.getByLabel('Prompt, up to where the answer follows');
  if ((await prompt.count()) === 0) await screen.getByRole('button', { name: 'Edit the prompt' }).click();
  return { prompt, subject: screen.getByLabel('Subject', { exact: true }) };
}

/** Types a question; the engine chooses what the subject is replaced by, unless `instead` says it. */
export async function fill(page, asked) {
  const { prompt, subject } = await typing(page);
  await prompt.fill(asked.prompt);
  await subject.fill(asked.subject);
  await settings(page, async drawer => {
    await drawer.getByRole('button', { name: 'replace subject' }).click();
    await drawer.getByLabel('Replace the subject with').fill(asked.instead ?? '');
    await drawer.getByLabel('True answer').fill(asked.target);
    await drawer.getByLabel('Counterfactual answer').fill(asked.target_new);
  });
}

/** What the form says. */
export async function question(page) {
  const shown = (await tokens(page).count()) > 0;
  const { prompt, subject } = await typing(page);
  const asked = { prompt: await prompt.inputValue(), subject: await subject.inputValue() };
  if (shown) await tracing(page).getByRole('button', { name: 'Show tokens' }).click();
  const more = await settings(page, async drawer => ({
    target: await drawer.getByLabel('True answer').inputValue(),
    target_new: await drawer.getByLabel('Counterfactual answer').inputValue(),
    noise: await drawer.getByRole('button', { name: /^add noise/ }).getAttribute('aria-pressed'),
  }));
  return { ...asked, ...more, model: await models(page).inputValue() };
}

/** The button that runs the prompt. */
export const go = page => tracing(page).getByRole('button', { name: /^Trace\b(?! “)/ });

/** Waits until the trace that runs is whole. */
export async function traced(page, seconds = 120) {
  await tracing(page).getByText(/^Computed here:/).waitFor({ timeout: seconds * 1000 });
  await until('the trace is whole', () => go(page).isVisible(), seconds);
}

/** The record of what is shown, as it is saved. */
export async function recordOf(page) {
  const saved = page.waitForEvent('download');
  await tracing(page).getByRole('button', { name: 'Save record' }).click();
  return JSON.parse(readFileSync(await (await saved).path(), 'utf8'));
}

/** Names of the maps on the screen, with those of the record. */
export const MAPS = { State: 'residual', MLP: 'mlp', Attention: 'attention' };

/** Shows a map. */
export async function site(page, name) {
  await tracing(page).getByRole('tab', { name: new RegExp(`^${name}`) }).click();
}

/** A cell of the map: its row from 0, its layer from 1. */
export const cell = (page, row, layer) => page.locator(`#cell-${row}-${layer}`);

/** The cell that the map says it is at. */
export async function cursor(page) {
  const id = await map(page).getAttribute('aria-activedescendant');
  const [, row, layer] = /^cell-(\d+)-(\d+)$/.exec(id ?? '') ?? [];
  return [Number(row), Number(layer)];
}

/** A number as the page writes it. */
export const number = text => Number(text.replace('−', '-'));

/** What the inspector says: the token, the layer, its recovery, and the probability in the three runs. */
export async function inspected(page) {
  const [head] = await inspector(page).locator('.head h2').allInnerTexts();
  const [, token, layer] = /^(.*?)\s+layer (\d+)$/s.exec(head);
  const value = await inspector(page).locator('.big').innerText();
  const runs = await inspector(page).locator('.three .num').allInnerTexts();
  return { token: token.trim(), layer: Number(layer), recovery: number(value), runs };
}

/**
 * The probability of the answer with a cell of a map put back. Rows of the map are the clean prompt's tokens, rows of the
 * record the corrupted one's; `null` where a token has no counterpart.
 */
export function patched(fact, map, row, layer) {
  const [[start, end], [from, to]] = [fact.subject_span, fact.corrupt_span];
  let at = row;
  if (row >= end) at = fact.corrupt_tokens.length - (fact.tokens.length - row);
  else if (row >= start) at = to - (end - row) >= from ? to - (end - row) : -1;
  return fact.maps[map][at]?.[layer - 1] ?? null;
}

/** A probability as recovery: 0 is the corrupted run, 1 the clean one. */
export const recovery = (fact, p) => (p - fact.p_corrupt) / (fact.p_clean - fact.p_corrupt);
