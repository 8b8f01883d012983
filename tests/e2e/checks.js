// SPDX-License-Identifier: Apache-2.0
/* What every state of a page has to be: accessible and nowhere too wide, light and dark. */

import assert from 'node:assert/strict';

import AxeBuilder from '@axe-core/playwright';

export const WIDTHS = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 800 } };

/* `shots`: a folder that each checked state is kept in; undefined: none. */
export async function checkPage(page, name, shots) {
  for (const [device, size] of Object.entries(WIDTHS)) {
    await page.setViewportSize(size);
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(violations.map(({ id, nodes }) => [
        name, device, colorScheme, id, ...nodes.map((node) => node.html)].join(' ')), []);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} px too wide on a ${device}`);
      if (shots && (colorScheme === 'light' || device === 'phone')) {
        await page.screenshot({ fullPage: true,
          path: `${shots}/${name}-${device}-${colorScheme}.png` });
      }
    }
  }
}
