/* Tests of the checkpoints that `infer analytic` adds its constants to: the constants appear, and
 * everything else stays. */
#include "tests/golden_mixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

/* What H5Ovisit compares: every object of one file with that of the other. */
typedef struct Compare {
    hid_t other;
    int sets, attributes;
} Compare;

static void *raw_bytes(hid_t object, bool attribute, size_t *size)
{
    hid_t type = attribute ? H5Aget_type(object) : H5Dget_type(object);
    hid_t space = attribute ? H5Aget_space(object) : H5Dget_space(object);
    size_t count = (size_t)H5Sget_simple_extent_npoints(space);
    *size = count * H5Tget_size(type);
    void *bytes = calloc(1, *size + 1);
    herr_t status = attribute ? H5Aread(object, type, bytes)
                              : H5Dread(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
    ck_assert(status >= 0);
    if (H5Tis_variable_str(type) > 0) { /* one string: its text */
        void *text = strdup(*(char **)bytes);
        *size = strlen(text);
        H5free_memory(*(char **)bytes);
        free(bytes);
        bytes = text;
    }
    H5Sclose(space);
    H5Tclose(type);
    return bytes;
}

static void ck_same_values(hid_t a, hid_t b, bool attribute, const char *name)
{
    ck_assert_msg(a >= 0 && b >= 0, "%s is lost", name);
    hid_t type_a = attribute ? H5Aget_type(a) : H5Dget_type(a);
    hid_t type_b = attribute ? H5Aget_type(b) : H5Dget_type(b);
    ck_assert_msg(H5Tequal(type_a, type_b) > 0, "%s has another type", name);
    H5Tclose(type_a);
    H5Tclose(type_b);
    size_t size_a, size_b;
    void *bytes_a = raw_bytes(a, attribute, &size_a), *bytes_b = raw_bytes(b, attribute, &size_b);
    ck_assert_msg(size_a == size_b && memcmp(bytes_a, bytes_b, size_a) == 0, "%s has changed",
                  name);
    free(bytes_a);
    free(bytes_b);
}

static herr_t compare_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data)
{
    (void)info;
    Compare *compare = data;
    hid_t a = H5Aopen(object, name, H5P_DEFAULT), b = H5Aopen(compare->other, name, H5P_DEFAULT);
    ck_same_values(a, b, true, name);
    H5Aclose(a);
    H5Aclose(b);
    compare->attributes++;
    return 0;
}

static herr_t compare_object(hid_t root, const char *name, const H5L_info_t *info, void *data)
{
    (void)info;
    Compare *compare = data;
    if (strncmp(name, "analytic", 8) == 0)
        return 0;
    ck_assert_msg(H5Lexists(compare->other, name, H5P_DEFAULT) > 0, "%s is lost", name);
    hid_t a = H5Oopen(root, name, H5P_DEFAULT), b = H5Oopen(compare->other, name, H5P_DEFAULT);
    if (H5Iget_type(a) == H5I_DATASET) {
        ck_same_values(a, b, false, name);
        compare->sets++;
    }
    H5Oclose(a);
    H5Oclose(b);
    return 0;
}

/* Everything of `before`, but for /analytic, is in `after`; how many arrays that were. */
static int ck_keeps(const char *before, const char *after)
{
    hid_t a = golden_open(before);
    Compare compare = {.other = golden_open(after)};
    ck_assert(H5Lvisit(a, H5_INDEX_NAME, H5_ITER_INC, compare_object, &compare) >= 0);
    ck_assert(H5Aiterate2(a, H5_INDEX_NAME, H5_ITER_INC, NULL, compare_attribute, &compare) >= 0);
    ck_assert_int_ge(compare.attributes, 4);
    H5Fclose(compare.other);
    H5Fclose(a);
    return compare.sets;
}

static void written_at(const char *name, int seconds)
{
    struct timespec times[2] = {{.tv_sec = 1600000000 + seconds}, {.tv_sec = 1600000000 + seconds}};
    ck_assert_int_eq(utimensat(AT_FDCWD, in_directory(name), times, 0), 0);
}

static off_t size_of(const char *name)
{
    struct stat status;
    ck_assert_int_eq(stat(in_directory(name), &status), 0);
    return status.st_size;
}

#define ANALYTIC "analytic --quiet --images 3 --timesteps 3 "

/* Arrays, strings of both kinds, attributes, a link, what somebody else has put there, permissions and
 * time; twice the same makes the same bytes, and another time replaces the constants. */
START_TEST(nothing_else_changes)
{
    const int64_t three = 3;
    const double extra[] = {1, 2, NAN};
    struct stat status;
    program_begin();
    make_a("a.h5");
    hid_t file = H5Fopen(in_directory("a.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    file_add(file, "extra", H5T_IEEE_F64BE, 1, &three, extra);
    ck_assert(H5Lcreate_soft("/trunk_ema", file, "ema", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    ck_assert_int_eq(chmod(in_directory("a.h5"), 0640), 0);
    written_at("a.h5", 77);
    ck_assert_int_eq(system("cp $D/a.h5 $D/before.h5"), 0);

    infer_ok(ANALYTIC "--checkpoint $D/a.h5");
    ck_assert_int_gt(ck_keeps(in_directory("before.h5"), in_directory("a.h5")), 100);
    ck_assert_int_eq(stat(in_directory("a.h5"), &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0640);
    ck_assert_int_eq(status.st_mtim.tv_sec, 1600000077);

    ck_assert_int_eq(system("cp $D/a.h5 $D/first.h5"), 0);
    infer_ok(ANALYTIC "--checkpoint $D/a.h5");
    ck_assert_int_eq(system("cmp $D/a.h5 $D/first.h5"), 0);
    infer_ok(ANALYTIC "--checkpoint $D/a.h5 --seed 8");
    ck_assert_int_eq(size_of("a.h5"), size_of("first.h5"));
    ck_assert_int_ne(system("cmp -s $D/a.h5 $D/first.h5"), 0);
    ck_assert_int_eq(golden_attr_int(in_directory("a.h5"), "analytic", "seed"), 8);
    ck_keeps(in_directory("before.h5"), in_directory("a.h5"));

    /* As h5py wrote it, with constants of its own and its strings of fixed length. */
    file = file_from("b.h5", GOLDEN_B);
    replace_config(file, mixture_b);
    H5Fclose(file);
    ck_assert_int_eq(system("cp $D/b.h5 $D/before.h5"), 0);
    infer_ok(ANALYTIC "--checkpoint $D/b.h5");
    ck_assert_int_gt(ck_keeps(in_directory("before.h5"), in_directory("b.h5")), 100);

    /* What is not in the file can't be kept. */
    file = H5Fopen(in_directory("b.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert(H5Lcreate_external("a.h5", "/extra", file, "far", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    ck_assert_int_eq(system("cp $D/b.h5 $D/before.h5"), 0);
    infer_fails(2, "b.h5:/far: links to another file", ANALYTIC "--checkpoint $D/b.h5");
    ck_assert_int_eq(system("cmp $D/b.h5 $D/before.h5"), 0);
    ck_assert_int_eq(system("ls $D | grep -q tmp"), 256); /* none is left */
    program_end();
}
END_TEST

/* What `infer analytic` does not read otherwise, in chunks, of any type; only numbers can have checksums. */
static void add_chunks(hid_t file, const char *name, hid_t type, hsize_t count, const void *values)
{
    hid_t space = H5Screate_simple(1, &count, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 1, (hsize_t[]){count / 2});
    if (H5Tget_class(type) == H5T_INTEGER)
        H5Pset_fletcher32(creation);
    hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ck_assert(data >= 0 && H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Pclose(creation);
    H5Sclose(space);
}

static void flip_a_bit(const char *name, const void *of, size_t size)
{
    static char bytes[1 << 22];
    FILE *file = fopen(in_directory(name), "r+");
    ck_assert_ptr_nonnull(file);
    char *place = memmem(bytes, fread(bytes, 1, sizeof bytes, file), of, size);
    ck_assert_msg(place != NULL, "%s does not hold what should be damaged", name);
    fseek(file, place - bytes, SEEK_SET);
    fputc(*place ^ 1, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* Known before anything is measured: else the damage would be in two files, and the good copy that somebody
 * may have would be thought older. */
START_TEST(what_is_damaged_is_said_and_not_copied)
{
    static const uint16_t notes[4] = {0x1234, 0x5678, 0x9abc, 0xdef0};
    const char *texts[2] = {"of any", "length"};
    program_begin();
    make_a("a.h5");
    hid_t file = H5Fopen(in_directory("a.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "notes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    add_chunks(file, "notes/numbers", H5T_STD_U16LE, 4, notes);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    add_chunks(file, "notes/texts", text, 2, texts);
    H5Tclose(text);
    H5Fclose(file);
    infer_ok(ANALYTIC "--checkpoint $D/a.h5");
    ck_assert(golden_exists(in_directory("a.h5"), "notes/texts"));

    flip_a_bit("a.h5", &notes[2], sizeof notes[2]);
    ck_assert_int_eq(system("cp $D/a.h5 $D/before.h5"), 0);
    infer_fails(2,
                "a.h5:/notes/numbers: its checksum is wrong: the file was damaged after it was "
                "written",
                "analytic --checkpoint $D/a.h5 --images 60000");
    ck_assert_int_eq(system("cmp $D/a.h5 $D/before.h5"), 0);
    ck_assert_int_eq(system("ls $D | grep -q tmp"), 256);
    program_end();
}
END_TEST

/* Every file with this network gets them; the order of their ages stays. */
START_TEST(a_run_directory_gets_them_all)
{
    program_begin();
    ck_assert_int_eq(mkdir(in_directory("run"), 0777), 0);
    make_a("run/stage1.h5");
    make_a("run/stage2-sn.h5");
    make_a("run/stage2-npr.h5");
    make_a("run/stage2-npr+sn.h5");
    change_tensor("run/stage2-npr.h5", "trunk_ema/conv_in.bias", 1, 2);
    written_at("run/stage2-sn.h5", 100);
    written_at("run/stage2-npr+sn.h5", 90);
    written_at("run/stage2-npr.h5", 80);
    infer_fails(2, "infer analytic --run",
                "sample --quiet --run $D/run --variance analytic "
                "--steps 2 --count 1 --out $D/x.h5");
    infer_fails(2, "the variance analytic_diag needs the array /analytic/ms_eps_diag",
                "sample --quiet --run $D/run --variance analytic_diag --steps 2 --count 1 "
                "--out $D/x.h5");
    infer_ok("info --run $D/run");
    ck_assert(says("no E||eps_hat||^2/d; infer analytic adds it"));
    infer_ok(ANALYTIC "--run $D/run");
    ck_assert(golden_exists(in_directory("run/stage1.h5"), "analytic/ms_eps"));
    ck_assert(golden_exists(in_directory("run/stage2-sn.h5"), "analytic/ms_eps"));
    ck_assert(golden_exists(in_directory("run/stage2-npr+sn.h5"), "analytic/ms_eps_diag"));
    ck_assert(!golden_exists(in_directory("run/stage2-npr.h5"), "analytic"));
    infer_ok("sample --run $D/run --variance analytic,analytic_diag,sn --steps 2,3 --count 2 "
             "--out $D/x.h5");
    ck_assert(says("takes the sn head of") && says("stage2-sn.h5, which is newer"));
    program_end();
}
END_TEST

SUITE_MAIN("analytic_files", nothing_else_changes, what_is_damaged_is_said_and_not_copied,
           a_run_directory_gets_them_all)
