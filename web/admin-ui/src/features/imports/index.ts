export { Import } from "./Import";
