// A study in the tab: run, cut off by a reload, resumed, opened.

import assert from 'node:assert/strict';
import { accessible } from './lib/axe.mjs';
import { launch, shot, show, started } from './lib/browser.mjs';
import { test } from './lib/check.mjs';
import { DIST } from './lib/paths.mjs';
import { serve } from './lib/server.mjs';

test('a study of the page survives a reload and is resumed', 240, async use => {
  const site = use(await serve(DIST));
  const browser = use(await launch());
  const page = await browser.open(`${site.url}?tab=study`);
  await started(page);
  page.on('dialog', dialog => dialog.accept());
  const study = page.getByRole('tabpanel', { name: 'Study' });
  // Long enough to be cut in the middle: more facts than a batch, and edits at its end.
  await study.getByRole('textbox', { name: 'Facts', exact: true }).fill('24');
  await study.getByRole('textbox', { name: 'With maps' }).fill('1');
  await study.getByRole('textbox', { name: 'Edits' }).fill('2');
  await study.getByRole('button', { name: 'Study', exact: true }).click();
  const live = study.getByRole('region', { name: 'The study that runs' });
  await live.getByRole('list').getByRole('button').nth(3).waitFor({ timeout: 90_000 });
  await shot(page, 'study-running');
  await page.reload();
  await started(page);

  const offer = study.getByRole('complementary', { name: 'An unfinished study' });
  await offer.getByText(/A study of engram-llama stopped (at \d+ of|after its) 24 facts/).waitFor({ timeout: 30_000 });
  await shot(page, 'study-offer');
  await accessible(page, 'an unfinished study is offered');
  await offer.getByRole('button', { name: 'Resume' }).click();
  await study.getByRole('heading', { name: 'About this record' }).waitFor({ timeout: 200_000 });
  await shot(page, 'study-done');
  await accessible(page, 'a finished study');
  const about = await study.innerText();
  assert.match(about, /24 of \d+ screened facts passed both filters/);
  const kept = study.getByRole('listitem').filter({ hasText: '24 of 24 facts' });
  await kept.getByText(/2 edits, finished/).waitFor();
});
