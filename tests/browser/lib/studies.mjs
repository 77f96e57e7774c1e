// The study screen as a person uses it.

import { show } from './browser.mjs';
import { panel } from './lab.mjs';

/** Its panel. */
export const studying = page => panel(page, 'Study');

/** Begins a study of the chosen model that traces so many facts, without maps and edits. */
export async function study(page, facts) {
  await show(page, 'Study');
  const form = studying(page);
  // Where a record is open, the form is folded.
  const unfold = form.getByRole('button', { name: 'New study…' });
  if (await unfold.isVisible()) await unfold.click();
  await form.getByRole('textbox', { name: 'Facts', exact: true }).fill(String(facts));
  await form.getByRole('textbox', { name: 'With maps' }).fill('0');
  await form.getByRole('checkbox', { name: /whether facts can be rewritten/ }).uncheck();
  await form.getByRole('button', { name: 'Study', exact: true }).click();
}

/** Waits until the study is done. */
export const studied = (page, seconds = 120) =>
  studying(page).getByRole('complementary', { name: 'A finished study' }).waitFor({ timeout: seconds * 1000 });

/** Waits until the list of kept studies, open or folded, says this. */
export const keeps = (page, text) => studying(page).getByText(text).first().waitFor({ state: 'attached', timeout: 20_000 });
