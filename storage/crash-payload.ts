/** What crash-child.ts writes for a sequence and crash.test.ts expects; every fortieth is larger than a log file. */
export function crashPayload(seq: number): Buffer {
    const payload = Buffer.alloc(seq % 40 === 0 ? 150_000 : 200 + ((seq * 131) % 1500), seq % 251);
    payload.write(`${seq}.`, 0, 'latin1');
    return payload;
}
