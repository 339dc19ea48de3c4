/** Clocks and their conversion; apart from the sources, so that a live agent does not load the parsers of files. */
export { GPS_EPOCH_UTC_NS, gpsNsOfWeek, LEAP_SECONDS_VALID_UNTIL, utcOfGps, utcOfTai } from './time/leap-seconds.ts';
export { BootOffsetEstimator, type OffsetEstimate } from './time/boot-offset-estimator.ts';
export { type BootClockDeclaration, SourceClockDeclaration, type SourceClockKind } from './time/source-clock.ts';
export { type FileClock, makeFileClock, makeUtcClock, type UtcClock } from './time/utc-clock.ts';
