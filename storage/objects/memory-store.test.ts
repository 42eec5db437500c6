import {expect, test} from 'vitest';
import {describeObjectStore} from './conformance.ts';
import {MemoryObjectStore} from './memory-store.ts';

describeObjectStore('memory', async () => {
    return await Promise.resolve({store: new MemoryObjectStore(), dispose: () => Promise.resolve()});
});

test('a memory store is bounded, and deleting makes room', async () => {
    const store = new MemoryObjectStore({bytesMax: 100});
    await store.put('a', Buffer.alloc(60));
    await expect(store.put('b', Buffer.alloc(41))).rejects.toMatchObject({kind: 'full'});
    await store.put('a', Buffer.alloc(100));
    await store.delete('a');
    await store.put('b', Buffer.alloc(100));
});
