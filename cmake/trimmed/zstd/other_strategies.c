/* What the compressor's tables name and level 1 never calls: the slower ways of finding matches, and long
 * distance matching, which has to be asked for. A call is a bug, and ends the program. */
#define ABSENT(name) \
  void name(void) { __builtin_trap(); }
#define ABSENT_STRATEGY(name) \
  ABSENT(ZSTD_compressBlock_##name) \
  ABSENT(ZSTD_compressBlock_##name##_dictMatchState) \
  ABSENT(ZSTD_compressBlock_##name##_extDict)
#define ABSENT_LAZY_STRATEGY(name) \
  ABSENT_STRATEGY(name) \
  ABSENT(ZSTD_compressBlock_##name##_row) \
  ABSENT(ZSTD_compressBlock_##name##_dictMatchState_row) \
  ABSENT(ZSTD_compressBlock_##name##_extDict_row) \
  ABSENT(ZSTD_compressBlock_##name##_dedicatedDictSearch) \
  ABSENT(ZSTD_compressBlock_##name##_dedicatedDictSearch_row)

ABSENT_STRATEGY(doubleFast)
ABSENT_LAZY_STRATEGY(greedy)
ABSENT_LAZY_STRATEGY(lazy)
ABSENT_LAZY_STRATEGY(lazy2)
ABSENT_STRATEGY(btlazy2)
ABSENT_STRATEGY(btopt)
ABSENT_STRATEGY(btultra)
ABSENT(ZSTD_compressBlock_btultra2)
ABSENT(ZSTD_fillDoubleHashTable)
ABSENT(ZSTD_insertAndFindFirstIndex)
ABSENT(ZSTD_row_update)
ABSENT(ZSTD_updateTree)
ABSENT(ZSTD_dedicatedDictSearch_lazy_loadDictionary)
ABSENT(ZSTD_ldm_adjustParameters)
ABSENT(ZSTD_ldm_blockCompress)
ABSENT(ZSTD_ldm_fillHashTable)
ABSENT(ZSTD_ldm_generateSequences)

/* These two are asked for sizes while long distance matching is off. */
unsigned long ZSTD_ldm_getMaxNbSeq(void) { return 0; }
unsigned long ZSTD_ldm_getTableSize(void) { return 0; }

/* A block of a few bytes is not compressed; what long distance matching had found in it is skipped, which is
 * nothing. */
void ZSTD_ldm_skipRawSeqStoreBytes(void) {}
void ZSTD_ldm_skipSequences(void) {}
