// The forward pass: the streams, the sentence of each layer, the player, and what the engine adds.

import assert from 'node:assert/strict';
import { accessible } from './lib/axe.mjs';
import { shot, show } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { begin, device, go, panel, recordOf, traced, tracing } from './lib/lab.mjs';

const screen = page => panel(page, 'Forward pass');
const slider = page => screen(page).locator('#streams');
const layer = async page => Number(await slider(page).getAttribute('aria-valuenow'));
const finding = page => screen(page).getByRole('region', { name: 'What happens at this layer' }).getByRole('heading');
const after = page => screen(page).getByRole('complementary', { name: 'After this layer' });
const two = value => value.toFixed(2).replace('-', '−').replace(/^−(0\.00)$/, '$1');

/** The trace of the shown record, and the row of the subject's last token in the map of states. */
async function shown(page) {
  await show(page, 'Trace');
  const record = await recordOf(page);
  await show(page, 'Forward pass');
  const fact = record.facts[0];
  const recovered = row => fact.maps.residual[row].map(p => (p - fact.p_corrupt) / (fact.p_clean - fact.p_corrupt));
  return { fact, subject: recovered(fact.corrupt_span[1] - 1), last: recovered(fact.corrupt_tokens.length - 1) };
}

test('each layer has its sentence and its numbers, which are those of the record', 120, async use => {
  const { page } = await begin(use);
  const { fact, subject, last } = await shown(page);
  const layers = fact.without_block.length;
  const values = await slider(page).getAttribute('aria-valuemax');
  assert.equal(Number(values), layers);
  const moved = await layer(page);
  assert.match(await finding(page).innerText(), new RegExp(`^Layer ${moved}: attention moves ${fact.target_true} from `), 'it opens where something happens');

  await slider(page).focus();
  await page.keyboard.press('Home');
  for (let at = 1; at <= layers; at++) {
    await until(`layer ${at} is shown`, async () => (await layer(page)) === at, 5);
    assert.match(await finding(page).innerText(), new RegExp(`^Layer ${at}: `));
    assert.equal(await after(page).getByRole('heading').first().innerText(), `After layer ${at}`);
    const restores = after(page).locator('section').filter({ hasText: 'Put back here' });
    assert.deepEqual(await restores.locator('.num').allInnerTexts(), [two(subject[at - 1]), two(last[at - 1])]);
    const lens = fact.lens;
    const percent = 100 * lens.p_true[at - 1];
    const wanted = percent < 0.05 ? '<0.1' : percent.toFixed(1);
    assert.ok((await after(page).innerText()).includes(`${wanted} %, rank ${lens.rank_true[at - 1]}`), `layer ${at}: no ${wanted} in ${await after(page).innerText()}`);
    const word = screen(page).locator('.says-lane .word').nth(at - 1);
    assert.equal(await word.innerText(), lens.top[at - 1].trim(), 'what the model would say');
    await page.keyboard.press('ArrowRight');
  }
  assert.equal(await layer(page), layers, 'the last layer is the last');
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await layer(page), 1);
  // The same cursor as on the trace screen, and in the address.
  await page.keyboard.press('ArrowRight');
  assert.equal(new URL(page.url()).searchParams.get('layer'), '2');
  await show(page, 'Trace');
  await tracing(page).getByRole('heading', { name: /^At layer 2$/ }).waitFor();
});

test('a click, a drag, the slider and the buttons go to a layer; playing goes to the end', 90, async use => {
  const { page } = await begin(use, { path: '?tab=forward' });
  const plot = await screen(page).locator('.flow').boundingBox();
  const x = share => plot.x + share * plot.width;
  const y = plot.y + plot.height / 2;
  await page.mouse.click(x(0.03), y);
  assert.equal(await layer(page), 1);
  await page.mouse.move(x(0.03), y);
  await page.mouse.down();
  await page.mouse.move(x(0.55), y, { steps: 6 });
  await page.mouse.up();
  assert.equal(await layer(page), 5);
  await screen(page).getByRole('button', { name: 'One layer back' }).click();
  assert.equal(await layer(page), 4);
  await screen(page).getByRole('button', { name: 'One layer on' }).click();
  assert.equal(await layer(page), 5);
  await screen(page).getByRole('slider', { name: 'Layer' }).last().fill('6');
  assert.equal(await layer(page), 6);
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('Space');
  await screen(page).getByRole('button', { name: 'Pause' }).waitFor();
  await until('it has played to the end', async () => (await layer(page)) === 8, 10);
  await screen(page).getByRole('button', { name: 'Play' }).waitFor();
  // From the end it begins anew, and another screen stops it.
  await page.keyboard.press('Space');
  await until('it plays from the first layer', async () => (await layer(page)) === 2, 10);
  await show(page, 'Trace');
  await page.waitForTimeout(1500);
  await show(page, 'Forward pass');
  assert.ok((await layer(page)) < 6, 'nothing plays where nobody looks');
});

test('who wants no motion has no player, and steps all the same', 60, async use => {
  const { page } = await begin(use, { path: '?tab=forward', options: { context: { reducedMotion: 'reduce' } } });
  assert.equal(await screen(page).getByRole('button', { name: 'Play' }).count(), 0);
  await page.keyboard.press('Space');
  const before = await layer(page);
  await page.waitForTimeout(700);
  assert.equal(await layer(page), before);
  await screen(page).getByRole('button', { name: 'One layer back' }).click();
  assert.equal(await layer(page), before - 1);
});

test('a trace made here adds what the model would say and what each head attends to', 120, async use => {
  const { page } = await begin(use);
  await device(page, 'CPU');
  await show(page, 'Trace');
  await go(page).click();
  await traced(page);
  const { fact } = await shown(page);
  const heads = after(page).locator('.heads li');
  await heads.first().waitFor();
  assert.equal(await heads.count(), 4, 'engram-relay has four heads');
  const words = after(page).locator('section').filter({ hasText: 'The model would say' });
  await slider(page).focus();
  await page.keyboard.press('End');
  await until('the last layer', async () => (await layer(page)) === 8, 5);
  // After the last layer it is what the model says.
  const said = await words.locator('.word').allInnerTexts();
  assert.equal(said.length, 5);
  assert.equal(said[0], fact.target_true);
  const percent = `${(100 * fact.p_clean).toFixed(1)} %`;
  assert.equal(await words.locator('.num').first().innerText(), percent);
  const shares = await heads.evaluateAll(all => all.map(one => Number(/, (\d+) %/.exec(one.getAttribute('aria-label'))[1])));
  assert.ok(shares.every(share => share >= 0 && share <= 100));
});

for (const theme of ['light', 'dark']) {
  test(`it looks right and can be read: ${theme}`, 90, async use => {
    const options = { context: { colorScheme: theme, viewport: { width: 1280, height: 800 } } };
    const { page } = await begin(use, { path: '?tab=forward', options });
    await accessible(page, `forward pass, ${theme}`);
    await shot(page, `forward-1280-${theme}`);
    for (const [width, height] of [[1920, 1080], [390, 844]]) {
      await page.setViewportSize({ width, height });
      await shot(page, `forward-${width}-${theme}`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wider <= 0, `${width} px: the page is ${wider} px wider than the window`);
    }
  });
}
