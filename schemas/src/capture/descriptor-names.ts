/**
 * Why: descriptors that programs carry inside of them leave JSON names out (those of Python and C++), and may name a type from where it
 * stands (`Time` instead of `.acme.Time`); the registry wants both whole. The scoping of types is that of descriptor.proto: the
 * innermost scope that has the name wins.
 */
import { protoCamelCase } from '@bufbuild/protobuf/reflect';
import type { DescriptorProto, FileDescriptorSet } from '@bufbuild/protobuf/wkt';

/** Fills in what was left out. A type that names nothing stays, and is refused by whoever looks it up. */
export function completeNames(set: FileDescriptorSet): void {
  const known = new Set<string>();
  for (const file of set.file) {
    for (const { name } of file.enumType) known.add(within(file.package, name));
    for (const message of file.messageType) collect(known, message, file.package);
  }
  for (const file of set.file) for (const message of file.messageType) complete(known, message, file.package);
}

function collect(known: Set<string>, message: DescriptorProto, scope: string): void {
  const name = within(scope, message.name);
  known.add(name);
  for (const each of message.enumType) known.add(within(name, each.name));
  for (const nested of message.nestedType) collect(known, nested, name);
}

function complete(known: ReadonlySet<string>, message: DescriptorProto, scope: string): void {
  const name = within(scope, message.name);
  for (const field of message.field) {
    if (field.jsonName === '') field.jsonName = protoCamelCase(field.name);
    if (field.typeName !== '' && !field.typeName.startsWith('.'))
      field.typeName = wholeName(known, field.typeName, name) ?? field.typeName;
  }
  for (const nested of message.nestedType) complete(known, nested, name);
}

function wholeName(known: ReadonlySet<string>, typeName: string, scope: string): string | undefined {
  for (let outer = scope; ; outer = outer.slice(0, Math.max(0, outer.lastIndexOf('.')))) {
    const candidate = within(outer, typeName);
    if (known.has(candidate)) return `.${candidate}`;
    if (outer === '') return undefined;
  }
}

function within(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`;
}
