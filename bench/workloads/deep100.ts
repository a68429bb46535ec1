import { deep } from "./support/deep.ts";

export default deep(100);
