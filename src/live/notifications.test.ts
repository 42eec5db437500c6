/** LISTEN and NOTIFY: who gets what, in which order, and what is refused. */
import {describe, expect, it} from 'vitest';
import {PgError} from '../../catalog/errors.ts';
import {ChannelSink} from './channel-sink.ts';
import {LiveEvent, makeBatch} from './live-event.ts';
import {foldNotifications, NotificationHub, type NotificationReceiver, validateNotify} from './notifications.ts';

class Receiver implements NotificationReceiver {
    count = 0;
    error: PgError | undefined;

    notified(): void {
        this.count++;
    }

    fellBehind(error: PgError): void {
        this.error = error;
    }
}

function hubWith(sessions: number, bytesMax = 1_000_000): {hub: NotificationHub; receivers: Receiver[]} {
    const hub = new NotificationHub(bytesMax);
    const receivers = Array.from({length: sessions}, () => new Receiver());
    for (const [sessionId, receiver] of receivers.entries()) hub.attach(sessionId, receiver);
    return {hub, receivers};
}

function note(channel: string, payload = '', processId = 7): {channel: string; payload: string; processId: number} {
    return {channel, payload, processId};
}

describe('NOTIFY', () => {
    it('refuses what PostgreSQL refuses, counted in bytes', () => {
        const refused = (channel: string, payload: string): unknown => {
            try {
                validateNotify(channel, payload);
            } catch (error) {
                return error instanceof PgError ? [error.code, error.message] : error;
            }
            return undefined;
        };
        expect(refused('', '')).toEqual(['22023', 'channel name cannot be empty']);
        expect(refused('c'.repeat(64), '')).toEqual(['22023', 'channel name too long']);
        expect(refused('é'.repeat(32), '')).toEqual(['22023', 'channel name too long']);
        expect(refused('c', 'p'.repeat(8000))).toEqual(['22023', 'payload string too long']);
        expect(refused('c', 'é'.repeat(4000))).toEqual(['22023', 'payload string too long']);
        expect(refused('c'.repeat(63), 'p'.repeat(7999))).toBeUndefined();
    });

    it('sends equal pairs of one transaction once, at the place of the first', () => {
        const folded = foldNotifications([
            note('a', '1'),
            note('b', '1'),
            note('a', '2'),
            note('a', '1'),
            note('b', '1'),
        ]);
        expect(folded).toEqual([note('a', '1'), note('b', '1'), note('a', '2')]);
    });

    it('reaches those who listen, the sender too, in commit order, one call a transaction', () => {
        const {hub, receivers} = hubWith(3);
        hub.listen(0, 'a');
        hub.listen(1, 'a');
        hub.listen(1, 'b');
        hub.listen(1, 'b');
        hub.publish([note('a', '1'), note('b', '2'), note('a', '1')]);
        hub.publish([note('a', '1')]);
        expect(receivers.map(({count}) => count)).toEqual([2, 2, 0]);
        expect(hub.take(0)).toEqual([note('a', '1'), note('a', '1')]);
        expect(hub.take(1)).toEqual([note('a', '1'), note('b', '2'), note('a', '1')]);
        expect(hub.take(1)).toEqual([]);
    });

    it('reaches nobody after UNLISTEN or the end of the session', () => {
        const {hub, receivers} = hubWith(3);
        for (const channel of ['a', 'b']) for (const session of [0, 1, 2]) hub.listen(session, channel);
        hub.unlisten(0, 'a');
        hub.unlisten(0, 'never listened to');
        hub.unlistenAll(1);
        hub.endSession(2);
        hub.publish([note('a'), note('b')]);
        expect(hub.channels(0)).toEqual(['b']);
        expect(hub.take(0)).toEqual([note('b')]);
        expect(hub.take(1)).toEqual([]);
        expect(receivers.map(({count}) => count)).toEqual([1, 0, 0]);
    });

    it('tells a session that does not read to end, and others get theirs', () => {
        const {hub, receivers} = hubWith(2, 300);
        hub.listen(0, 'a');
        hub.listen(1, 'a');
        for (let count = 0; count < 5; count++) {
            hub.publish([note('a', 'x'.repeat(60))]);
            hub.take(1);
        }
        expect(receivers[0]?.error).toMatchObject({code: '54000', severity: 'FATAL'});
        expect(hub.channels(0)).toEqual([]);
        expect(receivers[1]?.error).toBeUndefined();
        expect(receivers[1]?.count).toBe(5);
    });
});

describe('LISTEN to a query', () => {
    const batch = (...jsons: string[]) =>
        makeBatch(
            1,
            jsons.map((json) => new LiveEvent('insert', 1, json)),
        );

    it('gives each event as a notification on the whole text of the query', () => {
        const {hub} = hubWith(1);
        const channel = `select ${'x'.repeat(100)}`;
        const sink = new ChannelSink({hub, sessionId: 0, processId: 9, channel});
        expect(sink.send(batch('{"op":"insert"}', '{"op":"update"}'))).toBe('ok');
        expect(hub.take(0)).toEqual([note(channel, '{"op":"insert"}', 9), note(channel, '{"op":"update"}', 9)]);
    });

    it('is refused room while too much waits, and tells of its end when there is room again', async () => {
        const {hub} = hubWith(1, 200);
        const sink = new ChannelSink({hub, sessionId: 0, processId: 9, channel: 'q'});
        expect(sink.send(batch('x'.repeat(500)))).toBe('ok');
        expect(sink.send(batch('y'))).toBe('full');
        const room = sink.drained();
        sink.end({error: new PgError('54000', 'behind', {hint: 'again'}), lastSeq: 12});
        expect(hub.take(0)).toHaveLength(1);
        await room;
        await Promise.resolve();
        expect(hub.take(0)).toEqual([
            note('q', '{"op":"error","_seq":"12","code":"54000","message":"behind","hint":"again"}', 9),
        ]);
    });
});
