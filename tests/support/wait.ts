/** Waits for something that happens soon but is not announced. */
export async function waitUntil(
    what: string,
    timeoutMs: number,
    holds: () => boolean | Promise<boolean>,
): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!(await holds())) {
        if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs} ms`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}
