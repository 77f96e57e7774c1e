// Each lesson walked through by somebody who has not read it: what they predicted, what they saw, and whether the numbers that it
// speaks of are on the screen and the native program's.

import assert from 'node:assert/strict';
import { accessible } from './lib/axe.mjs';
import { launch, shot, SIZES, started } from './lib/browser.mjs';
import { test, until } from './lib/check.mjs';
import { begin, panel, question } from './lib/lab.mjs';
import { files, keep, lesson, named, native, read, slack, value, curve } from './lib/lessons.mjs';
import { DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';

/** Everybody has a CPU. */
const CPU = { options: { webgpu: false } };

const screen = page => panel(page, 'Lessons');
const stage = page => screen(page).getByRole('region', { name: 'Measured' });
const numbers = page => stage(page).locator('.num').allInnerTexts();
const check = page => screen(page).getByRole('button', { name: 'Check', exact: true });

/** Predicts as somebody who does not know: the middle of what is offered. Gives what was chosen, in words. */
async function predict(page, ask) {
  if (ask.predict === 'number') {
    await screen(page).getByLabel('Your prediction').fill('1');
    return '1';
  }
  const options = screen(page).getByRole('radio');
  await options.first().waitFor({ state: 'attached', timeout: 60_000 });
  const labels = screen(page).getByRole('radiogroup').locator('label');
  const at = Math.floor((await options.count()) / 2);
  await labels.nth(at).click();
  return (await labels.nth(at).innerText()).trim();
}

async function measured(page) {
  await until('the model is there', async () => (await check(page).isEnabled()), 90);
  await check(page).click();
  await screen(page).locator('.told .verdict').waitFor({ timeout: 120_000 });
  return screen(page).locator('.told').innerText();
}

/** The whole page from its top: where it is scrolled, the bar would lie across it. */
async function picture(page, name) {
  await page.evaluate(() => window.scrollTo(0, 0));
  await shot(page, name);
}

/** Every bar of the stage, as text: group, label and number. */
const bars = page => stage(page).locator('.group').evaluateAll(groups => groups.map(group => ({
  title: group.querySelector('h4').innerText,
  bars: [...group.querySelectorAll('li')].map(bar => [bar.querySelector('.name').textContent, bar.querySelector('.num').innerText]),
})));

/** The numbers on the stage are the native program's; says which were looked at. */
function agree(ask, found, groups) {
  const shows = (ask.show ?? 'runs').split(', ').filter(show => !['runs', 'clean'].includes(show));
  const all = ask.beside ? [...shows.map(show => [show, found.record]), ...shows.map(show => [show, found.beside])] : shows.map(show => [show, found.record]);
  assert.equal(groups.length, all.length, 'as many figures as the step asks for');
  for (const [at, [show, record]] of all.entries()) {
    if (['edit', 'price'].includes(show) || show.startsWith('tokens')) continue;
    // The title has the unit of points.
    const unit = /block|attention|mlp/.test(show) ? ' points' : '';
    if (show.startsWith('mean ')) {
      const text = groups[at].bars[0][1] + unit;
      const mean = value({ record }, `${show.slice(5)}.mean`);
      assert.ok(Math.abs(read(text) - mean) <= slack(text), `${show}: ${text} on the screen, ${mean} by the program`);
      continue;
    }
    const wanted = curve(record, show);
    assert.equal(groups[at].bars.length, wanted.length);
    for (const [layer, [, bare]] of groups[at].bars.entries()) {
      const text = bare + unit;
      if (wanted[layer] === null) assert.equal(bare, 'removed');
      else assert.ok(Math.abs(read(text) - wanted[layer]) <= slack(text), `${show}, layer ${layer + 1}: ${text} on the screen, ${wanted[layer]} by the program`);
    }
  }
}

for (const [at, name] of files.entries()) {
  const number = at + 1;
  test(`lesson ${number} is walked through, and its numbers are on the screen`, 400, async use => {
    const { title, steps } = lesson(name);
    const { page } = await begin(use, { path: `#lesson=${number}`, ...CPU });
    const said = [`# Lesson ${number}: ${title}`];
    for (const [place, { title: step, ask, ...texts }] of steps.entries()) {
      await screen(page).getByRole('heading', { name: step, exact: true }).waitFor({ timeout: 30_000 });
      await screen(page).getByText(`Lesson ${number}, step ${place + 1} of ${steps.length}`).waitFor();
      const mine = await predict(page, ask);
      await until('the model is there', () => check(page).isEnabled(), 90);
      const before = await numbers(page);
      assert.ok(before.length > 0 && before.every(text => text === '?'), `nothing is shown before: ${before}`);
      await picture(page, `lesson-${number}-${place + 1}-asked`);
      const told = await measured(page);
      await picture(page, `lesson-${number}-${place + 1}-answered`);
      const groups = await bars(page);
      const onStage = await numbers(page);

      // What the text speaks of: the program's numbers, and at least one of them among the measured ones beside it.
      const found = native(ask);
      agree(ask, found, groups);
      const names = named(texts.result);
      const shown = await screen(page).locator('.told > p .v').allInnerTexts();
      const numbersTold = shown.filter(text => /^[−<]?[\d.]+( %| points)?$/.test(text));
      assert.equal(numbersTold.length, names.length, `${names.join(', ')}: ${told}`);
      for (const [index, value_] of names.map(one => value(found, one)).entries()) {
        const text = numbersTold[index];
        const off = Math.abs(read(text) - value_);
        assert.ok(off <= slack(text, names[index].startsWith('edit.')), `{${names[index]}}: ${text} on the screen, ${value_} by the program`);
      }
      const seen = numbersTold.filter(text => onStage.some(one => one === text.replace(' points', '') || one.startsWith(`${text} of`)) || groups.some(group => group.bars.some(([label]) => label === `layer ${text}`)));
      assert.ok(seen.length > 0, `none of ${numbersTold} is among ${onStage}`);
      said.push('', `## ${step}`, '', `Asked: ${ask.question}`, '', `Predicted: ${mine}`, '', 'Seen:', '', ...told.split('\n').filter(Boolean).map(line => `> ${line}`), '', ...groups.flatMap(group => [`- ${group.title.replaceAll('\n', ' ')}: ${group.bars.map(bar => bar.join(' ')).join(', ')}`]));
      keep(number, said);
      if (place + 1 < steps.length) await screen(page).getByRole('button', { name: 'Next step' }).click();
    }
    await accessible(page, `lesson ${number}, answered`);
    const last = number === files.length ? 'All lessons' : 'Next lesson';
    await screen(page).locator('.foot').getByRole('button', { name: last }).click();
    if (number < files.length) await screen(page).getByText(`Lesson ${number + 1}, step 1 of`).waitFor();
    else await screen(page).getByRole('heading', { name: 'Lessons', exact: true }).waitFor();
  });
}

test('a teacher’s link opens lesson, step, model and prompt', 180, async use => {
  const asked = { model: 'engram-llama', prompt: 'Donatello first learned to speak in', subject: 'Donatello', instead: 'Random Person' };
  const { page, site } = await begin(use, { path: `#${new URLSearchParams({ lesson: '2', step: '2', own: '1', ...asked })}`, options: { webgpu: false, context: { permissions: ['clipboard-read', 'clipboard-write'] } } });
  await screen(page).getByText('Lesson 2, step 2 of 3').waitFor();
  assert.match(await stage(page).innerText(), /Donatello first learned to speak in/);
  await predict(page, { predict: 'layer' });
  await measured(page);
  const [subject] = await bars(page);
  const record = native(asked).record;
  curve(record, 'subject').forEach((wanted, layer) => assert.ok(Math.abs(read(subject.bars[layer][1]) - wanted) <= slack(subject.bars[layer][1])));
  // The link that is copied asks the same in a browser that has nothing else.
  await screen(page).getByRole('button', { name: 'Copy link to this step' }).click();
  await screen(page).getByText('The link is on the clipboard.').waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(link.startsWith(site.url), link);
  const other = await use(await launch({ webgpu: false })).open(link);
  await started(other);
  await screen(other).getByText('Lesson 2, step 2 of 3').waitFor();
  assert.match(await stage(other).innerText(), /Donatello first learned to speak in/);
  // And the question goes on to Trace.
  await screen(other).getByRole('button', { name: 'Open in Trace' }).click();
  const form = await question(other);
  assert.deepEqual([form.model, form.prompt, form.subject], [asked.model, asked.prompt, asked.subject]);
});

test('a fact of the reader’s own is predicted, measured and handed on', 180, async use => {
  const { page } = await begin(use, { path: '?lesson=8', options: { webgpu: false, context: { permissions: ['clipboard-read', 'clipboard-write'] } } });
  await screen(page).getByLabel('Prompt, up to where the answer follows').fill('Vancouver Island can be found in the country of');
  await screen(page).getByLabel('Subject, spelled as in the prompt').fill('Vancouver Island');
  await screen(page).getByLabel('Subject, spelled as in the prompt').press('Tab');
  await until('the question is in the address', () => page.url().includes('Vancouver'));
  await predict(page, { predict: 'layer' });
  await measured(page);
  assert.match(await stage(page).innerText(), /Probability of “Canada”, engram-relay/);
  await picture(page, 'lesson-8-own');
  await screen(page).getByRole('button', { name: 'Copy link to this step' }).click();
  await screen(page).getByText('The link is on the clipboard.').waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const other = await use(await launch({ webgpu: false })).open(link);
  await started(other);
  assert.equal(await screen(other).getByLabel('Subject, spelled as in the prompt').inputValue(), 'Vancouver Island');
  // A subject that is not in the prompt is told, and nothing can be checked.
  await screen(other).getByLabel('Subject, spelled as in the prompt').fill('Fuji');
  await screen(other).getByLabel('Subject, spelled as in the prompt').press('Tab');
  await screen(other).getByText('“Fuji” is not in the prompt. Type it exactly as it is written there.').waitFor();
  await predict(other, { predict: 'layer' });
  assert.ok(await check(other).isDisabled());
  await screen(other).getByText('Correct the question first.').waitFor();
  // The prediction stays while the question is mended. One that does not depend on its subject gets no verdict.
  await screen(other).getByLabel('Prompt, up to where the answer follows').fill('The capital of France is');
  await screen(other).getByLabel('Subject, spelled as in the prompt').fill('France');
  await until('it can be checked', () => check(other).isEnabled(), 90);
  await check(other).click();
  await screen(other).getByText(/No verdict\. The answer “the” has [\d.]+ % in the clean run and [\d.]+ % in the corrupted one\./).waitFor({ timeout: 60_000 });
});

test('an edited lesson shows its new text, and a broken one says file and line', 120, async use => {
  const path = 'lessons/1-what-is-a-fact.md';
  const whole = `# Our town\n\n## One step\n\nWhat do **we** know of {subject}?\n\n\`\`\`ask\nquestion = "Is it known?"\nmodel = "engram-relay"\nprompt = "On stage BB King usually played the"\nsubject = "BB King"\ninstead = "Ringo Starr"\npredict = "option"\nof = "clean"\noptions = ["no", "yes"]\nbounds = [0.5]\n\`\`\`\n\n### Result\n\nThe model gives {answer} {clean}.\n`;
  let text = whole;
  const pages = Object.defineProperty({}, path, { get: () => text, enumerable: true });
  const site = await use(await serve(DIST, { pages }));
  const browser = use(await launch({ webgpu: false }));
  const page = await browser.open(`${site.url}?tab=lessons`);
  await started(page);
  await screen(page).getByRole('button', { name: 'Our town' }).click();
  await screen(page).getByText('What do we know of BB King?').waitFor();
  await predict(page, { predict: 'option' });
  assert.match(await measured(page), /✓ As you predicted: yes\.\s+The model gives guitar 92\.9 %\./);
  text = whole.replace('{clean}', '{cleen}');
  await page.goto(`${site.url}?tab=lessons`);
  await started(page);
  await page.getByText('lessons/1-what-is-a-fact.md, line 21: `cleen` is not a value').waitFor();
  await page.getByText('mend the file and reload the page').waitFor();
  // The others are there all the same.
  await screen(page).getByRole('button', { name: lesson(files[1]).title }).waitFor();
  await shot(page, 'lessons-broken');
  text = whole.replaceAll('One step', 'Another step');
  await page.reload();
  await started(page);
  await screen(page).getByRole('button', { name: 'Our town' }).click();
  await screen(page).getByRole('heading', { name: 'Another step' }).waitFor();
});

test('a folder without its lessons says so, and the other screens work', 60, async use => {
  const site = await use(await serve(DIST, { refused: { '/lessons/index.txt': 404 } }));
  const browser = use(await launch({ webgpu: false }));
  browser.allow(/404/);
  const page = await browser.open(`${site.url}?tab=lessons`);
  await started(page);
  await page.getByText('lessons/index.txt: it could not be fetched').waitFor();
  await page.getByRole('tab', { name: 'Trace', exact: true }).click();
  await page.getByRole('grid', { name: 'Recovery by token and layer' }).waitFor();
});

test('a folder on a stick is enough: no other address is asked, and the keyboard does all', 180, async use => {
  const { page, site } = await begin(use, { path: '#lesson=1', ...CPU });
  const asked = [];
  page.on('request', request => asked.push(request.url()));
  await page.reload();
  await started(page);
  const first = screen(page).getByRole('radio').first();
  await first.waitFor({ state: 'attached' });
  await first.focus();
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await until('the model is there', () => check(page).isEnabled(), 90);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await screen(page).locator('.verdict', { hasText: '✓ As you predicted: more than 50 %.' }).waitFor({ timeout: 60_000 });
  // The outcome is in a live region, and the focus waits at what comes next.
  assert.equal(await screen(page).locator('[aria-live=polite] .verdict').count(), 1);
  await until('the focus is at the next step', () => page.evaluate(() => document.activeElement.textContent === 'Next step'));
  await page.keyboard.press('Enter');
  await screen(page).getByText('Lesson 1, step 2 of 3').waitFor();
  await page.goBack();
  await screen(page).getByText('Lesson 1, step 1 of 3').waitFor();
  assert.ok(asked.length > 3);
  assert.deepEqual(asked.filter(url => !url.startsWith(site.url) && !url.startsWith('data:') && !url.startsWith('blob:')), []);
});

test('a lesson on a phone and in the dark', 120, async use => {
  const { page } = await begin(use, { path: '#lesson=2', options: { webgpu: false, context: { viewport: SIZES.phone, colorScheme: 'dark' } } });
  await predict(page, { predict: 'token' });
  await until('the model is there', () => check(page).isEnabled(), 90);
  await shot(page, 'lesson-phone-dark-asked');
  await measured(page);
  await picture(page, 'lesson-phone-dark');
  await accessible(page, 'a lesson on a phone, dark');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `${wide} px stick out`);
  await screen(page).getByRole('button', { name: 'All lessons', exact: true }).first().click();
  await shot(page, 'lessons-phone-dark');
});
