/** Checks the accessibility of a view with axe. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import * as z from 'zod';

export const BOTH_THEMES = ['light', 'dark'] as const;

const violations = z.array(
  z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string(), failureSummary: z.string().optional() })) }),
);

/**
 * Checks a view as it is now, in the light theme or in both. The themes differ only in colours, so only the colours are
 * checked in the dark theme.
 */
export async function expectAccessible(page: Page, themes: readonly ('light' | 'dark')[] = ['light']): Promise<void> {
  // Colours during a transition would be measured wrongly.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  // Works despite the Content-Security-Policy, as a browser's own tools do.
  await page.evaluate(axe.source);
  for (const theme of themes) {
    const toggle = page.getByRole('button', { name: /Dark theme|ダークテーマ/ });
    const isDark = (await toggle.getAttribute('aria-pressed')) === 'true';
    if (isDark !== (theme === 'dark')) await toggle.click();
    await page.locator(`html[data-theme=${theme}]`).waitFor();
    const rules = theme === 'light' ? '{}' : `{ runOnly: ['color-contrast'] }`;
    const found = await page.evaluate(`axe.run(document, ${rules}).then(({ violations }) => violations)`);
    const seen = violations
      .parse(found)
      .map(({ id, nodes }) => `${theme}: ${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
    expect(seen).toEqual([]);
  }
}
