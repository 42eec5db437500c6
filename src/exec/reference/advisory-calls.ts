/**
 * pg_advisory_lock and its kin, as calls with an effect (effect-calls.ts).
 * Source: PostgreSQL documentation, 9.28.10 "Advisory Lock Functions".
 */
import {waitForLock} from '../../txn/locks.ts';
import type {AdvisoryKey, AdvisoryMode, AdvisoryScope} from '../../txn/advisory-locks.ts';
import {parseMilliseconds} from '../../session/setting-definitions.ts';
import type {StatementContext} from '../statement-context.ts';

type Arguments = readonly (string | null)[];
type Call = (context: StatementContext, args: Arguments) => Promise<string | boolean | null>;

/** Name to call: `pg_[try_]advisory_[xact_]lock[_shared]`, `pg_advisory_unlock[_shared]`, `pg_advisory_unlock_all`. */
export const ADVISORY_CALLS: ReadonlyMap<string, Call> = new Map(allCalls());

function* allCalls(): Iterable<[string, Call]> {
    for (const mode of ['exclusive', 'shared'] as const) {
        const suffix = mode === 'shared' ? '_shared' : '';
        for (const scope of ['session', 'transaction'] as const) {
            const infix = scope === 'transaction' ? 'xact_' : '';
            yield [`pg_advisory_${infix}lock${suffix}`, strict((context, key) => acquire(context, key, mode, scope))];
            yield [
                `pg_try_advisory_${infix}lock${suffix}`,
                strict((context, key) => tryAcquire(context, key, mode, scope)),
            ];
        }
        yield [`pg_advisory_unlock${suffix}`, strict((context, key) => release(context, key, mode))];
    }
    yield [
        'pg_advisory_unlock_all',
        (context) => {
            context.session.advisoryLocks.releaseAll();
            return Promise.resolve('');
        },
    ];
}

/** NULL for a NULL. */
function strict(call: (context: StatementContext, key: AdvisoryKey) => Promise<string | boolean> | boolean): Call {
    return async (context, args) => {
        const texts = args.filter((arg) => arg !== null);
        return texts.length === args.length ? await call(context, keyOf(texts)) : null;
    };
}

function keyOf([first = '0', second]: readonly string[]): AdvisoryKey {
    if (second !== undefined) return {classid: Number(first) >>> 0, objid: Number(second) >>> 0, objsubid: 2};
    const key = BigInt.asUintN(64, BigInt(first));
    return {classid: Number(key >> 32n), objid: Number(key & 0xffff_ffffn), objsubid: 1};
}

async function acquire(
    context: StatementContext,
    key: AdvisoryKey,
    mode: AdvisoryMode,
    scope: AdvisoryScope,
): Promise<string> {
    const {advisoryLocks} = context.session;
    const {signal} = context;
    for (;;) {
        const blocked = advisoryLocks.acquire(key, mode, scope);
        if (blocked === undefined) return '';
        const transaction = context.write();
        transaction.companion = advisoryLocks.owner;
        const timeoutMs = parseMilliseconds(context.setting('lock_timeout'), 'lock_timeout');
        await waitForLock(transaction, blocked, timeoutMs);
        signal.throwIfAborted();
    }
}

function tryAcquire(context: StatementContext, key: AdvisoryKey, mode: AdvisoryMode, scope: AdvisoryScope): boolean {
    return context.session.advisoryLocks.acquire(key, mode, scope) === undefined;
}

function release(context: StatementContext, key: AdvisoryKey, mode: AdvisoryMode): boolean {
    if (context.session.advisoryLocks.release(key, mode)) return true;
    const type = mode === 'shared' ? 'ShareLock' : 'ExclusiveLock';
    context.notice({severity: 'WARNING', code: '01000', message: `you don't own a lock of type ${type}`});
    return false;
}
