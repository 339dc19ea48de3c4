/** Diagnostics by pino in the form that the stages use: the event name is the message, ids are fields. */
import type { Logger } from 'pino';
import type { AgentLogger } from '../ports.ts';

export function toAgentLogger(logger: Logger): AgentLogger {
  return {
    debug: (fields, event) => logger.debug(fields, event),
    info: (fields, event) => logger.info(fields, event),
    warn: (fields, event) => logger.warn(fields, event),
    error: (fields, event) => logger.error(fields, event),
  };
}
