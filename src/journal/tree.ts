/** Sources, folders and files as the journal knows them: paths to rows and back. Changes no file row. */
import { folderOf, joinPath, nameOf, sourcePath, type SourcePath } from '../base/path.ts'
import type { Connection } from './connection.ts'
import { inodeOfCell, nameCell, nameOfCell, type NameCell } from './rows.ts'

export interface KnownFile {
  readonly name: string
  readonly size: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
}

/** One row of `file`, with integers as SQLite's 64 bits. */
export interface FileRow {
  readonly id: bigint
  readonly folder_id: bigint
  readonly name: NameCell
  readonly seq: bigint
  readonly present: bigint
  readonly size: bigint
  readonly mtime_ns: bigint
  readonly ctime_ns: bigint
  readonly inode: bigint
  readonly sha256: Buffer | null
  readonly crc32: bigint | null
}

interface Folder {
  readonly id: number
  readonly sourceId: number
  readonly path: SourcePath
}

/** Folders kept in memory, both ways; the rest is a lookup away. Unit: folders. */
const folderCacheMax = 20_000

const sql = {
  sources: 'SELECT id, name, files FROM source',
  addSource: 'INSERT INTO source (name) VALUES (?) RETURNING id',
  folder: 'SELECT id FROM folder WHERE source_id = ? AND parent_id = ? AND name = ?',
  addFolder: 'INSERT INTO folder (source_id, parent_id, name) VALUES (?, ?, ?) RETURNING id',
  folderById: 'SELECT source_id AS sourceId, parent_id AS parentId, name FROM folder WHERE id = ?',
  subfolders: "SELECT name FROM folder WHERE source_id = ? AND parent_id = ? AND name <> ''",
  file: 'SELECT * FROM file WHERE folder_id = ? AND name = ?',
  fileById: 'SELECT * FROM file WHERE id = ?',
  // Names in one fixed order, so that a folder of a million files can be read in pages. A name that is no UTF-8 is a BLOB and sorts behind all text.
  filesIn: `
    SELECT name, size, mtime_ns, ctime_ns, inode FROM file WHERE folder_id = ? AND name > ? AND present = 1 ORDER BY name LIMIT ?`,
  filesBelow: `
    WITH RECURSIVE below (id) AS (
      SELECT ? UNION ALL SELECT folder.id FROM folder JOIN below ON folder.parent_id = below.id
    )
    SELECT file.folder_id AS folderId, file.name FROM below JOIN file ON file.folder_id = below.id WHERE file.present = 1 LIMIT ?`,
}

export class Tree {
  readonly #sources = new Map<string, number>()
  readonly #sourceNames = new Map<number, string>()
  readonly #foldersByPath = new Map<string, Folder>()
  readonly #foldersById = new Map<number, Folder>()
  readonly #statements

  constructor(connection: Connection) {
    this.#statements = {
      sources: connection.prepare<[], { id: number; name: string; files: number }>(sql.sources),
      addSource: connection.prepare<[string], { id: number }>(sql.addSource),
      folder: connection.prepare<[number, number, NameCell], { id: number }>(sql.folder),
      addFolder: connection.prepare<[number, number, NameCell], { id: number }>(sql.addFolder),
      folderById: connection.prepare<[number], { sourceId: number; parentId: number; name: NameCell }>(sql.folderById),
      subfolders: connection.prepare<[number, number], { name: NameCell }>(sql.subfolders),
      file: connection.prepare<[number, NameCell], FileRow>(sql.file).safeIntegers(),
      fileById: connection.prepare<[number], FileRow>(sql.fileById).safeIntegers(),
      filesIn: connection.prepare<[number, NameCell, number], FileRow>(sql.filesIn).safeIntegers(),
      filesBelow: connection.prepare<[number, number], { folderId: number; name: NameCell }>(sql.filesBelow),
    }
    for (const { id, name } of this.#statements.sources.all()) this.#know(id, name)
  }

  #know(id: number, name: string): void {
    this.#sources.set(name, id)
    this.#sourceNames.set(id, name)
  }

  /** Present files per source, from the kept counters. */
  fileCounts(): ReadonlyMap<string, number> {
    return new Map(this.#statements.sources.all().map((row) => [row.name, row.files]))
  }

  sourceId(name: string): number | undefined {
    return this.#sources.get(name)
  }

  sourceName(id: number): string {
    return this.#sourceNames.get(id) ?? `source ${id}`
  }

  ensureSource(name: string): number {
    const known = this.#sources.get(name)
    if (known !== undefined) return known
    const { id } = required(this.#statements.addSource.get(name))
    this.#know(id, name)
    return id
  }

  /** Forgets rows that a rolled back transaction may have made. */
  forgetCached(): void {
    this.#foldersByPath.clear()
    this.#foldersById.clear()
    this.#sources.clear()
    this.#sourceNames.clear()
    for (const { id, name } of this.#statements.sources.all()) this.#know(id, name)
  }

  #cacheKey(sourceId: number, path: string): string {
    return `${sourceId}/${path}`
  }

  #remember(folder: Folder): Folder {
    if (this.#foldersById.size >= folderCacheMax) {
      this.#foldersById.clear()
      this.#foldersByPath.clear()
    }
    this.#foldersById.set(folder.id, folder)
    this.#foldersByPath.set(this.#cacheKey(folder.sourceId, folder.path), folder)
    return folder
  }

  /** The folder's row, or undefined where none was ever recorded. */
  folderId(sourceId: number, path: SourcePath): number | undefined {
    const cached = this.#foldersByPath.get(this.#cacheKey(sourceId, path))
    if (cached !== undefined) return cached.id
    const parentId = path === '' ? 0 : this.folderId(sourceId, sourcePath(folderOf(path)))
    if (parentId === undefined) return undefined
    const row = this.#statements.folder.get(sourceId, parentId, nameCell(nameOf(path)))
    return row === undefined ? undefined : this.#remember({ id: row.id, sourceId, path }).id
  }

  ensureFolder(sourceId: number, path: SourcePath): number {
    const known = this.folderId(sourceId, path)
    if (known !== undefined) return known
    const parentId = path === '' ? 0 : this.ensureFolder(sourceId, sourcePath(folderOf(path)))
    const { id } = required(this.#statements.addFolder.get(sourceId, parentId, nameCell(nameOf(path))))
    return this.#remember({ id, sourceId, path }).id
  }

  #folder(id: number): Folder {
    const cached = this.#foldersById.get(id)
    if (cached !== undefined) return cached
    const row = required(this.#statements.folderById.get(id))
    const path = row.parentId === 0 ? '' : joinPath(this.#folder(row.parentId).path, nameOfCell(row.name))
    return this.#remember({ id, sourceId: row.sourceId, path: sourcePath(path) })
  }

  pathOf(folderId: number, name: NameCell): { readonly source: string; readonly path: SourcePath } {
    const folder = this.#folder(folderId)
    return { source: this.sourceName(folder.sourceId), path: sourcePath(joinPath(folder.path, nameOfCell(name))) }
  }

  fileRow(folderId: number, name: string): FileRow | undefined {
    return this.#statements.file.get(folderId, nameCell(name))
  }

  fileRowById(id: number): FileRow | undefined {
    return this.#statements.fileById.get(id)
  }

  /** The row at a path, present or not. */
  rowAt(source: string, path: SourcePath): FileRow | undefined {
    const sourceId = this.sourceId(source)
    const folderId = sourceId === undefined ? undefined : this.folderId(sourceId, sourcePath(folderOf(path)))
    return folderId === undefined ? undefined : this.fileRow(folderId, nameOf(path))
  }

  /** A present file. */
  file(source: string, path: SourcePath): KnownFile | undefined {
    const row = this.rowAt(source, path)
    return row?.present === 1n ? knownFile(row) : undefined
  }

  /** Present files directly in a folder: the next `limit` behind the name `after`. */
  filesIn(source: string, folder: SourcePath, after: string | undefined, limit: number): readonly KnownFile[] {
    const sourceId = this.sourceId(source)
    const folderId = sourceId === undefined ? undefined : this.folderId(sourceId, folder)
    if (folderId === undefined) return []
    return this.#statements.filesIn.all(folderId, nameCell(after ?? ''), limit).map(knownFile)
  }

  /** Names of the folders ever recorded directly in a folder. */
  foldersIn(source: string, folder: SourcePath): readonly string[] {
    const sourceId = this.sourceId(source)
    const folderId = sourceId === undefined ? undefined : this.folderId(sourceId, folder)
    if (sourceId === undefined || folderId === undefined) return []
    return this.#statements.subfolders.all(sourceId, folderId).map((row) => nameOfCell(row.name))
  }

  /** Present files anywhere below a folder, at most `limit`. */
  filesBelow(source: string, folder: SourcePath, limit: number): readonly SourcePath[] {
    const sourceId = this.sourceId(source)
    const folderId = sourceId === undefined ? undefined : this.folderId(sourceId, folder)
    if (folderId === undefined) return []
    return this.#statements.filesBelow.all(folderId, limit).map((row) => this.pathOf(row.folderId, row.name).path)
  }
}

function knownFile(row: FileRow): KnownFile {
  return {
    name: nameOfCell(row.name),
    size: Number(row.size),
    mtimeNs: row.mtime_ns,
    ctimeNs: row.ctime_ns,
    inode: inodeOfCell(row.inode),
  }
}

/** A row that a statement promises, such as what INSERT … RETURNING answers. */
export function required<T>(row: T | undefined): T {
  if (row === undefined) throw new Error('the journal lacks a row that must exist')
  return row
}

/** What the journal knows of one path. */
export interface FileRecord {
  readonly fileId: number
  readonly seq: number
  readonly isPresent: boolean
  readonly size: number
  readonly mtimeNs: bigint
  readonly sha256: string | null
}

export function fileRecord(row: FileRow): FileRecord {
  return {
    fileId: Number(row.id),
    seq: Number(row.seq),
    isPresent: row.present === 1n,
    size: Number(row.size),
    mtimeNs: row.mtime_ns,
    sha256: row.sha256?.toString('hex') ?? null,
  }
}
