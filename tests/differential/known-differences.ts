/**
 * Statements of the corpus that Tidewire is known to answer otherwise, each with the reason. The test demands that they
 * still differ, so an entry cannot outlive its cause.
 */
export const KNOWN_DIFFERENCES: ReadonlyMap<string, string> = new Map([]);
