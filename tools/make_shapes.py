"""Make a small detection data set in Pascal VOC's layout: circles, squares, triangles, stars on photographs."""


from gluon_etinynet import cli
from gluon_etinynet.detection.shapes_dataset import SHAPES, write_shapes
from gluon_etinynet.quantities import COUNT, SEED


def main():
    parser = cli.Parser(description=__doc__)
    parser.add_argument("folder", help="is made")
    parser.add_argument("--train", type=COUNT, default=480, help="training pictures (default: 480)")
    parser.add_argument("--val", type=COUNT, default=160, help="validation pictures (default: 160)")
    parser.add_argument("--seed", type=SEED, default=0, help="default: 0")
    args = parser.parse_args()
    write_shapes(args.folder, args.train, args.val, args.seed)
    print(f"written: {args.folder}, {args.train} + {args.val} pictures of {', '.join(SHAPES)}")


if __name__ == "__main__":
    cli.run(main)
