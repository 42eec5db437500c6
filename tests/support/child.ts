/**
 * One child process with its output kept and its end awaited. It is ended by its own id only, and never outlives the
 * process that started it.
 */
import {spawn} from 'node:child_process';
import type {ChildProcess, SpawnOptions} from 'node:child_process';

/** Output past this is dropped from the front: a chatty server must not fill the memory of the tests. */
const OUTPUT_CHARACTERS_MAX = 4 * 1024 * 1024;

export interface CapturedOutput {
    readonly stdout: string;
    readonly stderr: string;
}

export class Child {
    readonly #process: ChildProcess;
    readonly #onParentExit: () => void;
    readonly exited: Promise<{code: number | null; signal: NodeJS.Signals | null}>;
    stdout = '';
    stderr = '';

    constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
        this.#process = spawn(command, args, {...options, stdio: ['ignore', 'pipe', 'pipe']});
        this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
            this.stdout = (this.stdout + text).slice(-OUTPUT_CHARACTERS_MAX);
        });
        this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
            this.stderr = (this.stderr + text).slice(-OUTPUT_CHARACTERS_MAX);
        });
        this.#onParentExit = () => this.kill('SIGKILL');
        process.once('exit', this.#onParentExit);
        this.exited = new Promise((resolve, reject) => {
            this.#process.once('error', reject);
            this.#process.once('close', (code, signal) => {
                process.off('exit', this.#onParentExit);
                resolve({code, signal});
            });
        });
        this.exited.catch(() => undefined);
    }

    get pid(): number {
        return this.#process.pid ?? -1;
    }

    get running(): boolean {
        return this.#process.exitCode === null && this.#process.signalCode === null;
    }

    kill(signal: NodeJS.Signals): void {
        if (this.running) this.#process.kill(signal);
    }

    /** Waits until `found` gives a value; fails with the child's output when it ends or `timeoutMs` passes first. */
    async waitFor<T>(what: string, timeoutMs: number, found: () => T | undefined | Promise<T | undefined>): Promise<T> {
        const deadlineMs = performance.now() + timeoutMs;
        for (;;) {
            const value = await found();
            if (value !== undefined) return value;
            if (!this.running) throw new Error(`the process ended before ${what}:\n${this.stdout}${this.stderr}`);
            if (performance.now() > deadlineMs) {
                throw new Error(`no ${what} within ${timeoutMs} ms:\n${this.stdout}${this.stderr}`);
            }
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
    }

    /** Asks with `signal`, insists with SIGKILL after `graceMs`. */
    async end(signal: NodeJS.Signals, graceMs: number): Promise<void> {
        this.kill(signal);
        const timer = setTimeout(() => this.kill('SIGKILL'), graceMs);
        await this.exited;
        clearTimeout(timer);
    }
}

/** Runs a program to its end. Throws with its output when the exit code is not 0. */
export async function runToEnd(
    command: string,
    args: readonly string[],
    options?: SpawnOptions,
): Promise<CapturedOutput> {
    const child = new Child(command, args, options);
    const {code, signal} = await child.exited;
    if (code !== 0) {
        throw new Error(`${command} ended with ${code ?? signal}:\n${child.stdout}${child.stderr}`);
    }
    return {stdout: child.stdout, stderr: child.stderr};
}
