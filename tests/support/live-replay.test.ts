/** The replay finds what it is there to find. */
import {expect, test} from 'vitest';
import {liveRowsOf, replay} from './live-replay.ts';

const before = liveRowsOf([
    ['2', '20'],
    ['1', '10'],
]);

test('events give the rows after them', () => {
    const after = replay(before, [
        {op: 'ready', _seq: '5'},
        {op: 'insert', _seq: '6', row: {id: 3, v: 30}},
        {op: 'update', _seq: '7', row: {id: 1, v: 11}, old: {id: 1, v: 10}},
        {op: 'leave', _seq: '8', old: {id: 2, v: 20}},
    ]);
    expect([...after]).toEqual([
        [1, 11],
        [3, 30],
    ]);
});

test('a repeated event is found', () => {
    const event = {op: 'insert', _seq: '6', row: {id: 3, v: 30}};
    expect(() => replay(before, [event, event])).toThrow('repeated');
});

test('a change of an unknown row is found', () => {
    expect(() => replay(before, [{op: 'delete', _seq: '6', old: {id: 9, v: 1}}])).toThrow('not there');
});
