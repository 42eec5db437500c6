/**
 * The cost of the wire alone: a server that knows one statement, pgbench's select-only, and answers it from nothing.
 * Whatever the database adds comes on top of this.
 *
 * Run: node bench/wire-null.ts [seconds] [simple|extended|prepared]
 */

import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import type {
    Acceptor,
    BindMessage,
    FieldDescription,
    OpenedSession,
    ResponseWriter,
    SessionHandler,
} from '../wire/handler.ts';
import {encodeRowDescription} from '../wire/row-description.ts';
import {WireServer} from '../wire/server.ts';

const INT4_OID = 23;
const ABALANCE: FieldDescription = {
    name: 'abalance',
    tableOid: 16_384,
    attnum: 3,
    typeOid: INT4_OID,
    typeLength: 4,
    typmod: -1,
};

class NullHandler implements SessionHandler {
    readonly #writer: ResponseWriter;
    readonly #rowDescription = encodeRowDescription([ABALANCE], []);
    #key = 0;

    constructor(writer: ResponseWriter) {
        this.#writer = writer;
    }

    transactionStatus(): 'I' {
        return 'I';
    }

    query(sql: string): void {
        if (sql.includes('pgbench_branches')) {
            this.#answerStart(['count'], ['1']);
        } else if (sql.includes('partstrat')) {
            this.#answerStart(['n', 'partstrat', 'count'], ['1', null, '0']);
        } else {
            this.#writer.raw(this.#rowDescription);
            this.#answer();
        }
    }

    parse(): void {
        this.#writer.parseComplete();
    }

    bind(_portal: string, _statement: string, message: BindMessage): void {
        let key = 0;
        const start = message.offsets[0] ?? 0;
        const end = start + (message.lengths[0] ?? 0);
        for (let position = start; position < end; position += 1) {
            key = key * 10 + (message.buffer[position] ?? 0) - 0x30;
        }
        this.#key = key;
        this.#writer.bindComplete();
    }

    describeStatement(): void {
        this.#writer.parameterDescription([INT4_OID]);
        this.#writer.raw(this.#rowDescription);
    }

    describePortal(): void {
        this.#writer.raw(this.#rowDescription);
    }

    execute(): void {
        this.#answer();
    }

    closeStatement(): void {
        this.#writer.closeComplete();
    }

    closePortal(): void {
        this.#writer.closeComplete();
    }

    sync(): void {}
    failed(): void {}
    beforeReady(): void {}
    cancel(): void {}
    close(): void {}

    /** pgbench asks for the scale and the partitions before it begins. */
    #answerStart(names: readonly string[], values: readonly (string | null)[]): void {
        this.#writer.rowDescription(
            names.map((name) => ({...ABALANCE, name})),
            [],
        );
        this.#writer.beginRow(values.length);
        for (const value of values) {
            if (value === null) {
                this.#writer.valueNull();
            } else {
                this.#writer.valueText(value);
            }
        }
        this.#writer.endRow();
        this.#writer.commandComplete('SELECT 1');
    }

    #answer(): void {
        this.#writer.beginRow(1);
        this.#writer.valueIntText(this.#key);
        this.#writer.endRow();
        this.#writer.commandComplete('SELECT 1');
    }
}

const acceptor: Acceptor = {
    authenticate: () => ({method: 'trust'}),
    open: (_request, writer): OpenedSession => ({
        handler: new NullHandler(writer),
        parameters: new Map([
            ['server_version', '15.0'],
            ['client_encoding', 'UTF8'],
            ['standard_conforming_strings', 'on'],
        ]),
    }),
};

const seconds = process.argv[2] ?? '5';
const mode = process.argv[3] ?? 'prepared';
const server = new WireServer({acceptor});
const {port} = await server.listen('127.0.0.1', 0);
const cpuBefore = process.cpuUsage();
const options = ['-S', '-M', mode, '-c', '8', '-j', '2', '-T', seconds, '-n'];
const {stdout} = await promisify(execFile)('pgbench', [
    ...options,
    '-h',
    '127.0.0.1',
    '-p',
    String(port),
    '-U',
    'bench',
    'bench',
]);
const cpu = process.cpuUsage(cpuBefore);
const tps = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1] ?? 0);
const transactions = Number(/actually processed: (\d+)/.exec(stdout)?.[1] ?? 0);
console.log(`pgbench ${options.join(' ')}`);
console.log(`${Math.round(tps)} tps, ${((cpu.user + cpu.system) / transactions).toFixed(2)} µs of server CPU each`);
await server.shutdown(1000);
