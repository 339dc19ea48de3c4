/** Reading sources: mappings and the decoding of their files into messages; opening the files is the caller's. */
export type { Mapping } from './capture/mapping.ts';
export { isFleetRecording } from './capture/fleet-recording.ts';
export { type LoadedMapping, openSource, type OpenSourceOptions, parseMappingText } from './capture/open-source.ts';
export type { Disorder, Source, SourceDescription, SourceReport, StepBack } from './capture/source.ts';
export type { SourceFiles } from './capture/source-files.ts';
