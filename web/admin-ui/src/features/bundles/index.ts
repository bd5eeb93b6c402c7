export { Bundles } from "./Bundles";
