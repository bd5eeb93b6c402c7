import { Box, Button, Center, Group, Skeleton, Table, Text, UnstyledButton } from "@mantine/core";
import { ErrorNotice } from "@msil-mcp/ui";
import { IconArrowDown, IconArrowUp, IconArrowsSort } from "@tabler/icons-react";
import {
  createColumnHelper,
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  type SortingState,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef } from "react";

import classes from "./DataTable.module.css";

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic },
});
const ROW_HEIGHT = 40;
const OVERSCAN = 12;
const SKELETON_ROWS = 8;

export interface Column<Row> {
  id: string;
  header: string;
  /** What the column sorts by, and shows where it has no cell of its own. */
  value: (row: Row) => string | number | null;
  cell?: (row: Row) => ReactNode;
  /** In rem; without it the column takes what is left. */
  width?: number;
  isFixedOrder?: boolean;
}

interface Props<Row> {
  /** What the table holds, for those who hear it. */
  label: string;
  /** Stable between renders: at module scope or memoised. */
  columns: Column<Row>[];
  /** Undefined while loading. */
  rows: Row[] | undefined;
  rowId: (row: Row) => string;
  error?: unknown;
  onRetry?: (() => void) | undefined;
  /** Shown in place of an empty table. */
  empty: ReactNode;
  /** "name" or "-name"; kept in the URL by the page. Without onSort the headers do not sort. */
  sort?: string | undefined;
  onSort?: (sort: string | undefined) => void;
  /** Whether the server sorts; otherwise the rows at hand are sorted here. */
  isSortedByServer?: boolean;
  selected?: string | undefined;
  onSelect?: (row: Row) => void;
  /** How many there are at the server, where it says so. */
  total?: number | undefined;
  hasMore?: boolean;
  onMore?: () => void;
  isLoadingMore?: boolean;
  height?: string;
}

/** A list with its loading, empty and error states; only the rows in sight are in the page. */
export function DataTable<Row extends object>(props: Props<Row>) {
  const { label, columns, rows, rowId, error, empty, sort, onSort, selected, onSelect } = props;
  const definitions = useMemo(() => definitionsOf(columns), [columns]);
  const scroller = useRef<HTMLDivElement>(null);
  const table = useTable({
    features,
    columns: definitions,
    data: rows ?? (NO_ROWS as Row[]),
    getRowId: rowId,
    enableSorting: onSort !== undefined,
    manualSorting: props.isSortedByServer ?? false,
    enableMultiSort: false,
    state: { sorting: sortingOf(sort) },
    onSortingChange: (update) => {
      const next = typeof update === "function" ? update(sortingOf(sort)) : update;
      onSort?.(sortOf(next));
    },
  });
  const shown = table.getRowModel().rows;
  // eslint-disable-next-line react-hooks/incompatible-library -- nothing memoised takes from it
  const virtualizer = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
    initialRect: { width: 1000, height: 800 },
  });
  const lastInSight = virtualizer.getVirtualItems().at(-1)?.index ?? 0;
  const { hasMore = false, isLoadingMore = false, onMore } = props;
  const isNearEnd = rows !== undefined && rows.length > 0 && lastInSight >= rows.length - OVERSCAN;
  useEffect(() => {
    if (isNearEnd && hasMore && !isLoadingMore) onMore?.();
  }, [isNearEnd, hasMore, isLoadingMore, onMore]);
  if (error && !rows) return <ErrorNotice error={error} {...(props.onRetry ? { onRetry: props.onRetry } : {})} />;
  if (rows?.length === 0) return <>{empty}</>;
  const inSight = virtualizer.getVirtualItems();
  const above = inSight[0]?.start ?? 0;
  const below = virtualizer.getTotalSize() - (inSight.at(-1)?.end ?? 0);
  return (
    <Box>
      <Box ref={scroller} className={classes["scroller"]} mah={props.height ?? "calc(100dvh - 15rem)"} tabIndex={0} role="region" aria-label={label}>
        <Table highlightOnHover={onSelect !== undefined} stickyHeader aria-label={label} aria-rowcount={shown.length + 1} aria-busy={!rows}>
          <Table.Thead>
            {table.getHeaderGroups().map((group) => (
              <Table.Tr key={group.id}>
                {group.headers.map((header) => {
                  const sorted = header.column.getIsSorted();
                  const width = columns.find((column) => column.id === header.column.id)?.width;
                  return (
                    <Table.Th
                      key={header.id}
                      w={width === undefined ? undefined : `${width}rem`}
                      aria-sort={sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : undefined}
                    >
                      {header.column.getCanSort() ? (
                        <UnstyledButton className={classes["sort"]} onClick={header.column.getToggleSortingHandler()}>
                          <table.FlexRender header={header} />
                          <SortMark sorted={sorted} />
                        </UnstyledButton>
                      ) : (
                        <table.FlexRender header={header} />
                      )}
                    </Table.Th>
                  );
                })}
              </Table.Tr>
            ))}
          </Table.Thead>
          <Table.Tbody>
            {!rows && <SkeletonRows columns={columns.length} />}
            {above > 0 && <Spacer height={above} columns={columns.length} />}
            {inSight.map((item) => {
              const row = shown[item.index];
              if (!row) return null;
              return (
                <Table.Tr
                  key={row.id}
                  aria-rowindex={item.index + 2}
                  data-selected={row.id === selected || undefined}
                  className={onSelect ? classes["selectable"] : undefined}
                  onClick={(event) => {
                    if (onSelect && !isOwnControl(event.target)) onSelect(row.original);
                  }}
                >
                  {row.getAllCells().map((cell, index) => (
                    <Table.Td key={cell.id} className={classes["cell"]}>
                      {index === 0 && onSelect ? (
                        <UnstyledButton className={classes["open"]} onClick={() => onSelect(row.original)}>
                          <table.FlexRender cell={cell} />
                        </UnstyledButton>
                      ) : (
                        <table.FlexRender cell={cell} />
                      )}
                    </Table.Td>
                  ))}
                </Table.Tr>
              );
            })}
            {below > 0 && <Spacer height={below} columns={columns.length} />}
          </Table.Tbody>
        </Table>
      </Box>
      {rows && (
        <Group justify="space-between" mt="xs">
          <Text size="xs" c="dimmed" role="status">
            {sizeOf(rows.length, props)}
          </Text>
          {props.hasMore && (
            <Center>
              <Button variant="default" size="compact-sm" loading={props.isLoadingMore ?? false} onClick={props.onMore}>
                Show more
              </Button>
            </Center>
          )}
        </Group>
      )}
    </Box>
  );
}

const NO_ROWS: object[] = [];

function sizeOf(shown: number, { total, hasMore }: { total?: number | undefined; hasMore?: boolean }): string {
  if (total !== undefined && total > shown) return `${shown} of ${total}`;
  return hasMore ? `The first ${shown}; there are more` : `${shown} in all`;
}

function definitionsOf<Row extends object>(columns: Column<Row>[]) {
  const helper = createColumnHelper<typeof features, Row>();
  return columns.map((column) =>
    helper.accessor((row: Row): unknown => column.value(row), {
      id: column.id,
      header: column.header,
      enableSorting: !column.isFixedOrder,
      sortFn: "alphanumeric",
      cell: (context) => (column.cell ?? column.value)(context.row.original),
    }),
  );
}

function SortMark({ sorted }: { sorted: false | "asc" | "desc" }) {
  const Mark = sorted === "asc" ? IconArrowUp : sorted === "desc" ? IconArrowDown : IconArrowsSort;
  return <Mark aria-hidden size={14} opacity={sorted ? 1 : 0.5} />;
}

function SkeletonRows({ columns }: { columns: number }) {
  return Array.from({ length: SKELETON_ROWS }, (_, index) => (
    <Table.Tr key={index} aria-hidden>
      <Table.Td colSpan={columns} h={ROW_HEIGHT}>
        <Skeleton height={12} />
      </Table.Td>
    </Table.Tr>
  ));
}

function Spacer({ height, columns }: { height: number; columns: number }) {
  return (
    <tr aria-hidden>
      <td colSpan={columns} style={{ height, padding: 0 }} />
    </tr>
  );
}

function isOwnControl(target: EventTarget): boolean {
  return target instanceof Element && target.closest("a, button, input, label, [role=menu]") !== null;
}

function sortingOf(sort: string | undefined): SortingState {
  if (!sort) return [];
  return sort.startsWith("-") ? [{ id: sort.slice(1), desc: true }] : [{ id: sort, desc: false }];
}

function sortOf(sorting: SortingState): string | undefined {
  const first = sorting[0];
  return first && (first.desc ? `-${first.id}` : first.id);
}
