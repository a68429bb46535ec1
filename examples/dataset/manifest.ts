// What a package.json says.

export interface Manifest {
  /** Whether it is a JSON object at all; otherwise it says nothing. */
  readonly sound: boolean;
  /** Undefined in those that only set a module type for a folder: such a folder belongs to the package above it. */
  readonly name: string | undefined;
  readonly version: string;
  readonly licence: string;
  readonly dependencies: readonly string[];
}

const SAYS_NOTHING: Manifest = { sound: false, name: undefined, version: "", licence: "", dependencies: [] };

export function parseManifest(bytes: Uint8Array): Manifest {
  let json: unknown;
  try {
    // A TextDecoder drops the byte order mark, which JSON.parse would not take.
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return SAYS_NOTHING;
  }
  if (!isObject(json)) return SAYS_NOTHING;
  return {
    sound: true,
    name: typeof json.name === "string" && json.name !== "" ? json.name : undefined,
    version: typeof json.version === "string" ? json.version : "",
    licence: licenceOf(json),
    dependencies: isObject(json.dependencies) ? Object.keys(json.dependencies) : [],
  };
}

/** The usual string, or what was usual before: an object with a type, or a list of those. */
function licenceOf({ license, licenses }: Record<string, unknown>): string {
  if (typeof license === "string") return license;
  const types = [license, licenses]
    .flat()
    .flatMap((each) => (isObject(each) && typeof each.type === "string" ? each.type : []));
  return types.length > 0 ? types.join(" OR ") : "none named";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
