/**
 * The normalised dataset: named sections of bytes beside a JSON description (lib/protocol/datasets.ts). An array's section
 * is row-major with one stride, so that "records start..start+count" is one contiguous read.
 */

export interface SectionSink {
  /** Appends to a section, which the first write opens. The bytes may be reused by the caller once the promise is fulfilled. */
  write(section: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Forgets everything written so far: a second pass begins. */
  clear(): Promise<void>;
}

export interface SectionReader {
  read(section: string, start: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Sections in memory: small data, browsers, tests. */
export function memorySections(): SectionSink & SectionReader {
  const sections = new Map<string, { bytes: Uint8Array<ArrayBuffer>; length: number }>();
  return {
    async write(name, bytes) {
      const section = sections.get(name) ?? { bytes: new Uint8Array(4096), length: 0 };
      sections.set(name, section);
      const needed = section.length + bytes.byteLength;
      if (needed > section.bytes.byteLength) {
        const grown = new Uint8Array(Math.max(needed, 2 * section.bytes.byteLength));
        grown.set(section.bytes.subarray(0, section.length));
        section.bytes = grown;
      }
      section.bytes.set(bytes, section.length);
      section.length = needed;
    },
    async clear() {
      sections.clear();
    },
    async read(name, start, length) {
      const section = sections.get(name);
      if (!section || start + length > section.length) {
        throw new RangeError(`section "${name}" has ${section?.length ?? 0} bytes; ${start}+${length} were asked for`);
      }
      return section.bytes.slice(start, start + length);
    },
  };
}
