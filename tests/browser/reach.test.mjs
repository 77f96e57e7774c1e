// Within reach: the list of commands and its keys, pins and differences, back and forward, the sheet of a phone.

import assert from 'node:assert/strict';
import { accessible } from './lib/axe.mjs';
import { shot, show } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import {
  begin, cell, cursor, device, fill, go, inspected, map, models, number, panel, patched, question, recordOf, recovery,
  settings, traced, tracing,
} from './lib/lab.mjs';
import { SIZES } from './lib/browser.mjs';

const dialog = page => page.getByRole('dialog', { name: 'Commands' });
const commands = page => dialog(page).getByRole('option');
const address = page => new URL(page.url()).searchParams;
/** No field has the focus, so that single keys are heard. */
const nowhere = page => page.evaluate(() => document.activeElement?.blur());

test('Ctrl K lists what can be done, typing finds, Enter runs, Escape shuts', 60, async use => {
  const { page } = await begin(use);
  await page.keyboard.press('Control+k');
  await dialog(page).waitFor();
  await accessible(page, 'the list of commands');
  await shot(page, 'palette');
  assert.ok((await commands(page).count()) > 12);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'combobox', 'one types at once');
  await page.keyboard.type('forward');
  await until('others are gone', async () => (await commands(page).count()) <= 2, 5);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await panel(page, 'Forward pass').waitFor();
  assert.equal(await dialog(page).isVisible(), false);

  await page.getByRole('button', { name: /^Search, run/ }).click();
  await page.keyboard.type('no such thing');
  await dialog(page).getByText('Nothing found. Try a fact, a model or a command.').waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await dialog(page).isVisible(), false);

  // A fact of the example, a model, a setting.
  await page.keyboard.press('Control+k');
  await page.keyboard.type('facts of the example');
  const name = await commands(page).nth(2).innerText();
  await commands(page).nth(2).click();
  await tracing(page).waitFor();
  assert.ok(name.startsWith((await question(page)).prompt.slice(0, 20)), `${name} is asked`);
  await page.keyboard.press('Control+k');
  await page.keyboard.type('engram-phi');
  await page.keyboard.press('Enter');
  assert.equal(await models(page).inputValue(), 'engram-phi');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('roles');
  await page.keyboard.press('Enter');
  assert.equal(address(page).get('rows'), 'roles');
});

test('single keys do it without the list, and are letters while one types', 60, async use => {
  const { page } = await begin(use);
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme ?? 'none');
  await nowhere(page);
  for (const [key, name] of [['2', 'Forward pass'], ['4', 'Study'], ['5', 'Models'], ['1', 'Trace'], ['e', 'Edit'], ['f', 'Forward pass']]) {
    await nowhere(page);
    await page.keyboard.press(key);
    await panel(page, name).waitFor({ timeout: 3000 });
  }
  const before = await theme();
  await page.keyboard.press('t');
  assert.notEqual(await theme(), before);
  await page.keyboard.press('1');
  await page.keyboard.press('n');
  assert.equal(await tracing(page).locator('details.numbers').first().getAttribute('open'), '');
  await page.keyboard.press('?');
  await dialog(page).waitFor();
  await until('the keys alone', async () => {
    const listed = await commands(page).count();
    return listed > 6 && listed === (await commands(page).locator('kbd').count());
  }, 5);
  for (const [word, found] of [['undo', 'Edit'], ['download', 'Save record'], ['head', 'Forward pass'], ['link', 'Copy link']]) {
    await dialog(page).getByRole('combobox').fill(word);
    await until(`${word} finds ${found}`, async () => (await commands(page).allInnerTexts()).some(name => name.startsWith(found)), 5);
  }
  await page.keyboard.press('Escape');
  await tracing(page).getByRole('button', { name: 'Edit the prompt' }).click();
  await tracing(page).getByLabel('Prompt, up to where the answer follows').fill('');
  await page.keyboard.type('Pete 12 fence');
  assert.equal(await tracing(page).isVisible(), true, 'typing goes nowhere');
  assert.equal(address(page).get('prompt'), 'Pete 12 fence');
  assert.equal(address(page).get('pin'), null);
});

test('a pinned trace is compared cell by cell, and the link shows the same again', 150, async use => {
  const { page, browser } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Trace');
  const one = (await recordOf(page)).facts[0];
  await nowhere(page);
  await page.keyboard.press('p');
  await tracing(page).getByText(/^Pinned:/).waitFor();
  await settings(page, drawer => drawer.getByLabel('Replace the subject with').fill('Marie Curie'));
  await go(page).click();
  await traced(page);
  const other = (await recordOf(page)).facts[0];
  await nowhere(page);
  await page.keyboard.press('c');
  await tracing(page).getByText('This minus pinned').waitFor();
  assert.match(await tracing(page).getByRole('region', { name: 'Finding' }).getByRole('heading').innerText(), /^With “Marie Curie”, .* (more|less) at layers? .* than with “/);

  // Every cell is the difference of the two records' recoveries.
  const rows = await map(page).getByRole('gridcell').evaluateAll(all => all.map(one => [Number(one.dataset.row), Number(one.dataset.layer), one.getAttribute('aria-label')]));
  let compared = 0;
  const value = (fact, row, layer) => {
    const p = patched(fact, 'residual', row, layer);
    return p === null ? null : recovery(fact, p);
  };
  for (const [row, layer, label] of rows) {
    const both = [value(other, row, layer), value(one, row, layer)];
    assert.equal(label === null, both.includes(null), `row ${row}, layer ${layer}: ${label}`);
    if (label === null) continue;
    const wanted = both[0] - both[1];
    assert.ok(Math.abs(number(label) - wanted) <= 0.0051, `row ${row}, layer ${layer}: ${label}, not ${wanted}`);
    compared += 1;
  }
  assert.ok(compared >= 60, `${compared} cells`);
  const widest = rows.map(([row, layer]) => Math.abs(value(other, row, layer) - value(one, row, layer)));
  const [row, layer] = rows[widest.indexOf(Math.max(...widest))];
  assert.deepEqual(await cursor(page), [row, layer], 'the cell that differs most is looked at');
  assert.ok(Math.abs((await inspected(page)).recovery) > 0.05);
  await accessible(page, 'a difference');
  await shot(page, 'trace-difference');

  // Without it the map is the trace's own again.
  await nowhere(page);
  await page.keyboard.press('c');
  await tracing(page).getByText(/^Recovery of /).waitFor();
  assert.ok(Math.abs(number(await cell(page, row, layer).getAttribute('aria-label')) - value(other, row, layer)) <= 0.0051);

  // The link names the pin: a stored fact has its numbers at once.
  await page.keyboard.press('c');
  const again = await browser.open(page.url());
  await tracing(again).getByText(/^Pinned:/).waitFor();
  await tracing(again).getByRole('button', { name: 'Unpin' }).click();
  assert.equal(address(again).get('pin'), null);
});

test('prompts of other lengths are compared by role, and the page says so', 150, async use => {
  const { page } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Trace');
  await nowhere(page);
  await page.keyboard.press('p');
  await fill(page, { prompt: 'Miles Davis performed as a musician on the', subject: 'Miles Davis', target: '', target_new: '' });
  await go(page).click();
  await traced(page);
  await nowhere(page);
  await page.keyboard.press('c');
  await tracing(page).getByText(/rows are averaged by role/).waitFor();
  await tracing(page).getByText('This minus pinned').waitFor();
});

test('back and forward go from prompt to prompt and from screen to screen, not from cell to cell', 150, async use => {
  const { page } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Trace');
  const first = await question(page);
  const prompts = ['Miles Davis performed as a musician on the', 'The mother tongue of Paco de Lucia is'];
  for (const [prompt, subject] of [[prompts[0], 'Miles Davis'], [prompts[1], 'Paco de Lucia']]) {
    await fill(page, { prompt, subject, target: '', target_new: '' });
    await go(page).click();
    await traced(page);
  }
  await cell(page, 1, 3).click();
  await cell(page, 2, 4).click();
  await show(page, 'Forward pass');
  await page.goBack();
  await tracing(page).waitFor();
  assert.equal(address(page).get('prompt'), prompts[1], 'one step is one screen');
  await page.goBack();
  await until('the prompt before', async () => address(page).get('prompt') === prompts[0], 5);
  await until('its result is shown again', async () => (await tracing(page).locator('.is-stale').count()) === 0, 5);
  const tokens = await tracing(page).locator('.prompt-tokens [data-token]').allInnerTexts();
  assert.match(tokens.join('').replaceAll(/[\s·]/g, ''), /MilesDavis/);
  await page.goForward();
  await until('the prompt after', async () => address(page).get('prompt') === prompts[1], 5);
  await until('its result is shown again', async () => (await tracing(page).locator('.is-stale').count()) === 0, 5);
  await page.goBack();
  await page.goBack();
  await until('the first prompt', async () => (address(page).get('prompt') ?? first.prompt) === first.prompt, 5);
  await until('its result is shown again', async () => (await tracing(page).locator('.is-stale').count()) === 0, 5);
});

test('on a phone the cell stays in view, and its buttons go from layer to layer', 60, async use => {
  const { page } = await begin(use, { options: { context: { viewport: SIZES.phone, hasTouch: true } } });
  const sheet = page.getByRole('group', { name: 'Selected cell, by layer' });
  assert.equal(await sheet.count(), 0, 'until somebody points at a cell the map has the room');
  const [row, layer] = await cursor(page);
  await cell(page, row, layer).click();
  await sheet.waitFor();
  for (const name of ['One layer back', 'One layer on']) {
    const box = await sheet.getByRole('button', { name }).boundingBox();
    assert.ok(box.width >= 44 && box.height >= 44, `${name}: ${box.width} × ${box.height}`);
  }
  await sheet.getByRole('button', { name: 'One layer back' }).click();
  assert.deepEqual(await cursor(page), [row, layer - 1]);
  assert.ok((await sheet.innerText()).includes(`layer ${layer - 1}`));
  await sheet.getByRole('button', { name: 'One layer on' }).click();
  assert.deepEqual(await cursor(page), [row, layer]);
  await shot(page, 'trace-phone-sheet');
});
