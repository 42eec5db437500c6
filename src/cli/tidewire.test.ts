/** The command in a process of its own, under whatever Node runs the tests. */
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import {expect, test} from 'vitest';

const command = new URL('./tidewire.js', import.meta.url).pathname;

test('tidewire --version prints the version of the package', async () => {
    const {stdout} = await promisify(execFile)(process.execPath, [command, '--version']);
    expect(stdout).toMatch(/^tidewire \d+\.\d+\.\d+\n$/);
});

test('a bad flag exits with 1 and one line', async () => {
    const failed = promisify(execFile)(process.execPath, [command, 'serve', '--nonsense', '1']);
    await expect(failed).rejects.toMatchObject({code: 1, stderr: 'tidewire: unknown flag --nonsense\n', stdout: ''});
});
