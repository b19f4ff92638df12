/** Order of test files: those that take long begin first, so that at the end no core waits for one that began last. */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Half a minute and more; by their size, which is what files are sorted by otherwise, they would be among the last. */
const slow =
  /\/(pipeline\/(churn|crash-sweep)|e2e\/(restore|verify|churn)|system\/(rebuild|kill|restore|real-tree|fresh-clone|.*-large))/

export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isSlow = ({ moduleId }: TestSpecification): boolean => slow.test(moduleId)
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))]
  }
}
