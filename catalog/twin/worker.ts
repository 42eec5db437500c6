/**
 * The worker thread that runs PostgreSQL. It is a pipe: frontend messages in, backend messages out; it knows no SQL.
 * PostgreSQL compiled to WebAssembly is synchronous, so here it can block without stopping the server.
 *
 * What must stay true: one answer per request, in order; an answer past `answerBytesMax` is cut off and reported.
 */
import {parentPort, workerData} from 'node:worker_threads';
import {strict as assert} from 'node:assert';
import {setFlagsFromString} from 'node:v8';
import {PGlite} from '@electric-sql/pglite';
import {startParameters} from './backend-options.ts';

export interface TwinWorkerData {
    readonly directory: string;
    readonly database: string;
    readonly answerBytesMax: number;
    /** True: faster code for 1 GB of memory at the moment it is compiled. */
    readonly optimise: boolean;
}

export interface TwinWorkerRequest {
    readonly id: number;
    readonly bytes: Uint8Array;
}

export type TwinWorkerMessage =
    | {readonly kind: 'ready'}
    | {readonly kind: 'failed'; readonly message: string}
    | {readonly kind: 'answer'; readonly id: number; readonly bytes: Uint8Array; readonly overflow: boolean}
    | {readonly kind: 'crashed'; readonly id: number; readonly message: string}
    | {readonly kind: 'closed'};

const port = parentPort;
assert(port !== null, 'runs as a worker thread');
const {directory, database, answerBytesMax, optimise} = workerData as TwinWorkerData;

function send(message: TwinWorkerMessage, transfer: ArrayBuffer[] = []): void {
    port?.postMessage(message, transfer);
}

async function answer(postgres: PGlite, request: TwinWorkerRequest): Promise<void> {
    const chunks: Uint8Array[] = [];
    let byteCount = 0;
    let overflow = false;
    await postgres.execProtocolRawStream(request.bytes, {
        syncToFs: false,
        onRawData: (chunk) => {
            byteCount += chunk.byteLength;
            // The tail is kept even then: it holds ReadyForQuery, so the reader's state stays right.
            if (byteCount > answerBytesMax) overflow = true;
            else chunks.push(chunk.slice());
        },
    });
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
    let offset = 0;
    for (const chunk of chunks) {
        bytes.set(chunk, offset);
        offset += chunk.byteLength;
    }
    send({kind: 'answer', id: request.id, bytes, overflow}, [bytes.buffer]);
}

try {
    // V8's optimising compiler takes 600 MB for a moment for each of PostgreSQL's two largest functions, which is more
    // than the rest of the server. The baseline compiler's code describes as fast and loads rows half as fast. The
    // flags hold for the whole process: a server sets them on its command line, before the parser is loaded as well.
    if (!optimise) {
        setFlagsFromString('--no-wasm-tier-up');
        setFlagsFromString('--no-wasm-dynamic-tiering');
    }
    const postgres = await PGlite.create(directory, {database, startParams: startParameters(false)});
    let last: Promise<void> = Promise.resolve();
    port.on('message', (request: TwinWorkerRequest | 'close') => {
        last = last
            .then(async () => {
                if (request === 'close') {
                    await postgres.close();
                    send({kind: 'closed'});
                    port.close();
                } else await answer(postgres, request);
            })
            .catch((error: unknown) => {
                send({kind: 'crashed', id: request === 'close' ? 0 : request.id, message: String(error)});
            });
    });
    send({kind: 'ready'});
} catch (error) {
    send({kind: 'failed', message: String(error)});
    port.close();
}
