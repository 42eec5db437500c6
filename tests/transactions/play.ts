/**
 * Plays a scenario on a server and writes down what each step answered, and which steps had to wait. A transcript has
 * no times and no ids in it, so those of two servers can be compared.
 */
import {SCENARIO_CHECK, SCENARIO_SETUP} from './scenarios.ts';
import type {Outcome} from '../support/outcome.ts';
import type {WireClient} from '../support/wire-client.ts';
import type {Scenario} from './scenarios.ts';

/** A wait that is shorter is not written down: on one server it may be seen, on the other not. */
const WAITING_MS = 250;
/** For a statement that could go on to do so. */
const WOKEN_MS = 100;

interface Pending {
    readonly session: string;
    readonly processId: number;
    readonly line: number;
    readonly answer: Promise<Outcome>;
}

export async function play(scenario: Scenario, connect: () => Promise<WireClient>): Promise<string[]> {
    const sessions = new Map<string, WireClient>();
    const transcript: string[] = [];
    const waiting: Pending[] = [];
    try {
        const keeper = await connect();
        sessions.set('keeper', keeper);
        await keeper.execute(SCENARIO_SETUP);
        for (const [session, sql] of scenario.steps) {
            const client = sessions.get(session) ?? (await connect());
            sessions.set(session, client);
            // One session is one thread: its earlier statement must have answered.
            await settle(
                waiting.filter((pending) => pending.session === session),
                waiting,
                transcript,
            );
            const {processId} = client;
            const pending = {session, processId, line: transcript.length, answer: client.run(sql)};
            const outcome = await answerUnlessWaiting(pending, keeper, WAITING_MS);
            transcript.push(
                `${scenario.anyVictim ? '' : `${session}: `}${sql} -> ${outcome === undefined ? '' : describe(outcome)}`,
            );
            if (outcome === undefined) waiting.push(pending);
            for (const earlier of waiting.slice()) {
                const woken = await answerUnlessWaiting(earlier, keeper, WOKEN_MS);
                if (woken !== undefined) await settle([earlier], waiting, transcript);
            }
        }
        await settle([...waiting], waiting, transcript);
        transcript.push(describe(await keeper.run(SCENARIO_CHECK)));
    } finally {
        await Promise.all([...sessions.values()].map((client) => client.close()));
    }
    return scenario.anyVictim ? transcript.map(withoutWait).sort() : transcript;
}

async function settle(done: readonly Pending[], waiting: Pending[], transcript: string[]): Promise<void> {
    for (const pending of done) {
        const answer = describe(await pending.answer);
        transcript[pending.line] += `(waited) ${answer}`;
        waiting.splice(waiting.indexOf(pending), 1);
    }
}

/** undefined when the statement has run for `minimumMs` and waits for a lock: a slow machine makes no difference. */
async function answerUnlessWaiting(
    {answer, processId}: Pending,
    keeper: WireClient,
    minimumMs: number,
): Promise<Outcome | undefined> {
    const waits = `select from pg_stat_activity where pid = ${processId} and wait_event_type = 'Lock'`;
    for (let waitMs = minimumMs; ; waitMs = 20) {
        const outcome = await within(answer, waitMs);
        if (outcome !== undefined) return outcome;
        if ((await keeper.rows(waits)).length > 0) return undefined;
    }
}

async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), timeoutMs);
    });
    const first = await Promise.race([promise, timeout]);
    clearTimeout(timer);
    return first;
}

function describe({rows, tag, sqlstate}: Outcome): string {
    return sqlstate ?? `${tag}${rows.length === 0 ? '' : ` ${JSON.stringify(rows)}`}`;
}

/** The victim and whoever waited change places freely: only what happened counts, not to whom. */
function withoutWait(line: string): string {
    return line
        .replace('(waited) ', '')
        .replace(/id = \d/, 'id = n')
        .replaceAll(/"(ann|bob)","\d+"/g, '"either","any"');
}
