/** What the tests of several packages draw their cases with. */
export { evenly } from './fixtures/evenly.ts';
