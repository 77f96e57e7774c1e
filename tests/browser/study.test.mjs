// A study in the tab: run, cut off by a reload, resumed, opened.

import assert from 'node:assert/strict';
import { accessible } from './lib/axe.mjs';
import { launch, shot, show, started } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { host, served, visit } from './lib/host.mjs';

/** The Study screen of a page of its own. */
async function begin(use) {
  const site = await served(use);
  const browser = use(await launch());
  const page = await visit(browser, site, '?tab=study');
  await started(page);
  page.on('dialog', dialog => dialog.accept());
  return { page, study: page.getByRole('tabpanel', { name: 'Study' }) };
}

test('a study of the page survives a reload and is resumed', 240, async use => {
  const { page, study } = await begin(use);
  // Long enough to be cut in the middle: more facts than a batch, and edits at its end.
  await study.getByRole('textbox', { name: 'Facts', exact: true }).fill('96');
  await study.getByRole('textbox', { name: 'Facts with maps' }).fill('1');
  await study.getByRole('textbox', { name: 'Edits' }).fill('6');
  await study.getByRole('button', { name: 'Study', exact: true }).click();
  const live = study.getByRole('region', { name: 'The study that runs' });
  await live.waitFor();
  await study.getByRole('button', { name: /, running$/, pressed: true }).waitFor({ timeout: 90_000 });
  await study.locator('.fact-table tbody tr').nth(3).waitFor({ timeout: 90_000 });
  await shot(page, 'study-running');
  await page.reload();
  await started(page);

  // The computer's engine has gone on with it, and the page follows it; the tab's is gone with the page.
  if (host() === 'tab') {
    const offer = study.getByRole('complementary', { name: 'An unfinished study' });
    await offer.getByText(/A study of engram-relay stopped (at \d+ of|after its) 96 facts/).waitFor({ timeout: 30_000 });
    await shot(page, 'study-offer');
    await accessible(page, 'an unfinished study is offered');
    await offer.getByRole('button', { name: 'Resume' }).click();
  }
  await study.getByRole('complementary', { name: 'A finished study' }).waitFor({ timeout: 200_000 });
  await shot(page, 'study-done');
  await study.locator('.fold > summary', { hasText: 'All figures' }).click();
  await study.getByText(/96 of \d+ screened facts passed both filters/).waitFor();
  await study.locator('.kept > summary').click();
  await accessible(page, 'a finished study');
  const kept = study.getByRole('listitem').filter({ hasText: '96 of 96 facts' });
  await kept.getByText(/6 edits, finished/).waitFor();
});

test('a queue of studies and what was filled in survive a reload', 240, async use => {
  const { page, study } = await begin(use);
  const field = name => study.getByRole('textbox', { name, exact: true });
  await field('Facts').fill('6');
  await field('Facts with maps').fill('0');
  await field('Edits').fill('1');
  await study.getByRole('checkbox', { name: /^engram-qwen2/ }).check();
  await study.getByRole('checkbox', { name: /^engram-phi/ }).check();
  await study.getByRole('button', { name: 'Study 3 models' }).click();
  const live = study.getByRole('region', { name: 'The study that runs' });
  await live.getByText('engram-phi waits').waitFor({ timeout: 60_000 });
  await live.getByText('engram-relay runs').or(live.getByText('engram-relay is done')).waitFor({ timeout: 60_000 });
  await page.reload();
  await started(page);

  const done = study.getByRole('complementary', { name: 'A finished study' });
  // The computer's engine has gone on with the study at hand, and the page goes on with the queue; where that study is over, it offers to.
  if (host() === 'computer') {
    const resume = study.getByRole('button', { name: 'Resume the queue' });
    const last = done.getByText(/engram-phi/);
    await resume.or(last).first().waitFor({ timeout: 120_000 });
    if (await resume.isVisible()) await resume.click();
    return last.waitFor({ timeout: 100_000 });
  }
  assert.equal(await field('Facts').inputValue(), '6');
  assert.equal(await field('Facts with maps').inputValue(), '0');
  for (const name of [/^engram-relay,? /, /^engram-qwen2/, /^engram-phi/]) {
    assert.ok(await study.getByRole('checkbox', { name }).first().isChecked(), `${name} is still ticked`);
  }
  const offer = study.getByRole('complementary', { name: 'A queue of studies' });
  await offer.getByText(/studies left in the queue: .*engram-phi/).waitFor({ timeout: 30_000 });
  await shot(page, 'study-queue');
  await accessible(page, 'a queue is offered');
  await offer.getByRole('button', { name: 'Resume the queue' }).click();
  await done.getByText(/engram-phi/).waitFor({ timeout: 200_000 });
  await page.reload();
  await started(page);
  await page.waitForTimeout(500);
  assert.equal(await offer.count(), 0, 'nothing is left');

  // A facts file does not survive, and nobody takes the bundled facts for it.
  await study.locator('.study-form input[type=file]').setInputFiles({
    name: 'mine.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from('prompt,subject,target_true,target_new\nThe capital of France is,France,Paris,Rome\n'),
  });
  await study.getByText('mine.csv', { exact: true }).waitFor();
  await page.reload();
  await started(page);
  await study.getByText('mine.csv was chosen before the page was loaded again: choose it again.').waitFor();
  await study.getByRole('button', { name: 'Study 3 models' }).click();
  await study.getByText('Choose mine.csv again, or take the bundled facts.').waitFor();
  await study.getByRole('button', { name: 'Back to the defaults' }).click();
  assert.equal(await field('Facts').inputValue(), '50');
});

test('facts are edited at every layer, traced again, and one after the other', 240, async use => {
  const { page, study } = await begin(use);
  const run = async (way, again) => {
    const unfold = study.getByRole('button', { name: 'New study…' });
    if (await unfold.isVisible()) await unfold.click();
    for (const [name, value] of [['Facts', '8'], ['Facts with maps', '1'], ['Edits', '3']]) {
      await study.getByRole('textbox', { name, exact: true }).fill(value);
    }
    await study.getByLabel('Edit method').selectOption('r-rome');
    const steps = study.getByRole('textbox', { name: 'Edit steps' });
    if (!(await steps.isVisible())) await study.getByText('More settings').click();
    await steps.fill('4');
    await study.getByLabel('Facts are edited').selectOption(way);
    const tick = study.getByRole('checkbox', { name: /^Trace both answers again/ });
    if (again) await tick.check();
    else assert.ok(await tick.isHidden(), 'no edit of a sequence is traced again');
    await study.getByRole('button', { name: 'Study', exact: true }).click();
    await study.getByRole('complementary', { name: 'A finished study' }).waitFor({ timeout: 100_000 });
    const tables = study.locator('.fold', { hasText: 'the paper’s tables' });
    if (!(await tables.locator('table').first().isVisible())) await tables.locator('summary').first().click();
  };
  const table = title => study.getByRole('region', { name: new RegExp(title) }).waitFor({ timeout: 20_000 });
  await run('each at every layer: does tracing predict where edits work?', true);
  await table('The same facts edited at each layer');
  await table('Both answers traced again after the edits');
  await shot(page, 'study-swept');
  await accessible(page, 'facts edited at every layer');
  await run('one after the other, nothing undone: where does the model collapse?', false);
  await table('Edits one after the other');
  await shot(page, 'study-in-turn');
});
