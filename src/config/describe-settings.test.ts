/** The documentation of the settings follows their table. */
import {readFileSync} from 'node:fs';
import {expect, test} from 'vitest';
import {settingsHelp, settingsPage} from './describe-settings.ts';

test('docs/settings.md is what the table of settings says', () => {
    const file = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8');
    expect(file).toBe(settingsPage());
});

test('the help lists visible settings and leaves hidden ones out', () => {
    expect(settingsHelp()).toContain('--hot-bytes-max');
    expect(settingsHelp()).not.toContain('--fault-point');
});
