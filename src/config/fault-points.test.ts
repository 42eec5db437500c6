/** A fault point ends the process as a crash would. */
import {spawnSync} from 'node:child_process';
import {expect, test} from 'vitest';
import {dieAt} from './fault-points.ts';

const MODULE = JSON.stringify(new URL('./fault-points.ts', import.meta.url).href);

test('the chosen point kills the process, the others do not', () => {
    const script = `
        const {dieAt} = await import(${MODULE});
        const reached = dieAt('flush.applied');
        reached('flush.segment-written');
        console.log('alive');
        reached('flush.applied');
        console.log('still alive');`;
    const {stdout, signal} = spawnSync(process.execPath, ['--input-type=module', '-e', script], {encoding: 'utf8'});
    expect(stdout).toBe('alive\n');
    expect(signal).toBe('SIGKILL');
});

test('without a chosen point nothing dies', () => {
    expect(() => dieAt('')('flush.applied')).not.toThrow();
});
